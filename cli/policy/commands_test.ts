// SPDX-License-Identifier: MIT
// The commands about policies as programs: what they print, and their exit status.

import assert from "node:assert/strict";
import { run } from "../testing/run.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function sandblock(...args: string[]) {
  return run(Deno.execPath(), ["run", "-qA", "--config", CONFIG, MAIN, "policy", ...args]);
}

/** A directory with these files. */
function files(contents: Record<string, string>) {
  const path = Deno.makeTempDirSync();
  for (const [name, text] of Object.entries(contents)) {
    Deno.writeTextFileSync(`${path}/${name}`, text);
  }
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("policy check explains what is right and lists all that is wrong", async () => {
  using directory = files({
    "good.policy": "default errno EPERM\nallow read\n",
    "odd.policy": "default allow\nallow read\nkill read\n",
    "bad.policy": "default allow\nalow read\nkill if ofset < 1\n",
  });
  const { path } = directory;
  const good = await sandblock("check", `${path}/good.policy`);
  assert.equal(good.code, 0);
  assert.match(good.stdout, /1 rule, default errno EPERM\n\nread:\n {2}allow {2}\(line 2\)\n/);
  const odd = await sandblock("check", `${path}/odd.policy`);
  assert.equal(odd.code, 0);
  assert.match(odd.stderr, /odd.policy:3:1: warning: this rule is never reached/);
  assert.equal((await sandblock("check", "--strict", `${path}/odd.policy`)).code, 1);
  const bad = await sandblock("check", `${path}/bad.policy`);
  assert.deepEqual([bad.code, bad.stdout], [1, ""]);
  assert.match(bad.stderr, /^\S+:2:1: error: .* did you mean "allow"\?\n\S+:3:9: error: .*\n$/);
  const none = await sandblock("check", `${path}/none.policy`);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^sandblock: error: cannot read policy "[^"]*": No such file/);
});

Deno.test("policy test runs a table, also through the module that policy show writes", async () => {
  using directory = files({
    "a.policy": "default errno EPERM\nallow read if peer.uid == 7\n",
    "a.yaml": "cases:\n" +
      "  - { request: read 1 at 0, peer: 'unix:pid=1,uid=7,gid=7', expect: allow }\n" +
      "  - { request: read 1 at 0, expect: errno EPERM }\n",
    "b.yaml": "cases:\n  - { name: all, request: read 1 at 0, expect: allow }\n",
  });
  const { path } = directory;
  const passed = await sandblock("test", `${path}/a.policy`, `${path}/a.yaml`);
  assert.deepEqual(passed, { code: 0, stdout: "2 cases: 2 passed, 0 failed\n", stderr: "" });
  const failed = await sandblock("test", `${path}/a.policy`, `${path}/b.yaml`);
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /b.yaml:2: all: expected allow, got errno EPERM by the default/);
  assert.equal((await sandblock("show", `${path}/a.policy`, "-o", `${path}/a.wasm`)).code, 0);
  const module = await sandblock("test", `${path}/a.wasm`, `${path}/a.yaml`);
  assert.equal(module.stdout, "2 cases: 2 passed, 0 failed\n");
});
