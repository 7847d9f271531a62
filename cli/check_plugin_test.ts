// SPDX-License-Identifier: MIT
// `plugin check` as a program: what it prints, and its exit status. What it finds is tested in tests/sdk.

import assert from "node:assert/strict";
import { diskWat, plugin } from "../core/plugin/test_plugins.ts";
import { CHECKS } from "../core/check/checks.ts";
import { run } from "./testing/run.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;

const SPINNING = diskWat(
  {},
  `(func (export "sb_flush") (param i32 i32 i32) (result i32)
  (loop $again (br $again)) (i32.const 0))`,
);

async function check(wat: string, ...args: string[]) {
  const path = await Deno.makeTempFile({ suffix: ".wasm" });
  await Deno.writeFile(path, plugin(wat));
  try {
    return await sandblock(path, ...args);
  } finally {
    await Deno.remove(path);
  }
}

function sandblock(...args: string[]) {
  const command = ["run", "-qA", "--config", CONFIG, MAIN, "plugin", "check", ...args];
  return run(Deno.execPath(), command);
}

Deno.test("plugin check prints a line for each check and a sum", async () => {
  const { code, stdout, stderr } = await check(diskWat(), "--skip=leaks");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^ok {6}read {8}reads agree at all boundaries$/m);
  assert.match(stdout, /^- {7}trim {8}it has no trim$/m);
  assert.match(stdout, /^test 1: \d+ passed, 0 failed, \d+ had nothing to check \(seed 1\)\n$/m);
});

Deno.test("plugin check fails with the first fault of a check", async () => {
  // The allocator of this disk never gives anything back.
  const { code, stdout } = await check(diskWat());
  assert.equal(code, 1);
  assert.match(stdout, /^FAILED {2}leaks {7}its memory grows by \d+ bytes while/m);
  assert.match(stdout, /1 failed/);
});

Deno.test("plugin check ends a call that does not end, names it and fails", async () => {
  const others = CHECKS.map(({ name }) => name).filter((name) => name !== "flush");
  const args = ["--plugin-timeout=1", ...others.map((name) => `--skip=${name}`)];
  const { code, stdout } = await check(SPINNING, ...args);
  assert.equal(code, 1);
  assert.match(stdout, /^FAILED {2}flush .*it took longer than 1000 ms in sb_flush/m);
  assert.match(stdout, /^- {7}random {6}left out$/m);
});

Deno.test("plugin check prints JSON", async () => {
  const { code, stdout } = await check(
    diskWat(),
    "--skip=leaks",
    "--json",
    "--seed=7",
    "--operations=10",
  );
  assert.equal(code, 0);
  const report = JSON.parse(stdout);
  assert.deepEqual(report.plugin, { name: "test", version: "1", kind: "plugin", abi: "3.0" });
  assert.equal(report.seed, 7);
  assert.equal(report.passed, true);
  const read = report.results.find(({ name }: { name: string }) => name === "read");
  assert.deepEqual([read.outcome, read.reason, read.notes], ["passed", "", []]);
});

Deno.test("plugin check refuses what it cannot check with a sentence", async () => {
  const refusal = async (...args: string[]) => {
    const { code, stdout, stderr } = await sandblock(...args);
    assert.deepEqual([code, stdout], [1, ""]);
    return stderr;
  };
  assert.match(await refusal("file"), /cannot check "file": it is no plugin but a part of/);
  assert.match(await refusal("./none.wasm"), /cannot read plugin ".\/none.wasm": No such file/);
  assert.match(await refusal("memory"), /cannot do without size: it is required/);
  assert.match(await refusal("memory", "1M", "--skip=reed"), /did you mean "read"\?/);
  assert.match(
    await refusal("memory", "1M", "--seed=0"),
    /it must be a number from 1 to 4294967295/,
  );
  assert.match(await refusal("memory", "1M", "--image=x"), /"memory" is a plugin, below which/);
  assert.match(
    await refusal("offset", "--children=2"),
    /--children=2: it must be a number from 1 to 1/,
  );
});
