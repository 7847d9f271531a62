// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { inspectPlugin } from "./inspect.ts";
import { findPlugin, withReason } from "./plugins.ts";
import { inspectPolicyModule } from "./policy/module.ts";

Deno.test("the host's own backend is found by name", () => {
  assert.equal(findPlugin("file").kind, "backend");
});

Deno.test("a path that leads nowhere is named with the reason", () => {
  assert.throws(
    () => findPlugin("./nowhere.wasm"),
    /^Error: cannot read plugin "\.\/nowhere\.wasm": No such file or directory$/,
  );
  assert.throws(() => findPlugin("/"), /cannot read plugin "\/": Is a directory$/);
});

Deno.test("a file that is no plugin is named with the reason", async () => {
  const path = await Deno.makeTempFile({ suffix: ".wasm" });
  await Deno.writeTextFile(path, "not wasm at all");
  assert.throws(
    () => findPlugin(path),
    /cannot load plugin ".*\.wasm": not a WebAssembly module; "file .*\.wasm" is what/,
  );
  await Deno.remove(path);
});

Deno.test("errors about a plugin say which one and what was tried", () => {
  const fail = () => {
    throw new Error("it has no memory");
  };
  assert.throws(() => withReason("x", fail), /^Error: cannot load plugin "x": it has no memory$/);
  assert.throws(() => withReason("x", fail, "pack"), /cannot pack plugin "x": it has no memory$/);
});

Deno.test("a plugin of a gigabyte is refused without being read", () => {
  const path = Deno.makeTempFileSync({ suffix: ".wasm" });
  Deno.truncateSync(path, 2 ** 30);
  const before = Deno.memoryUsage().rss;
  for (const look of [findPlugin, inspectPlugin, inspectPolicyModule]) {
    assert.throws(() => look(path), {
      message: `cannot read plugin "${path}": it has more than 268435456 bytes`,
    });
  }
  assert(Deno.memoryUsage().rss - before < 2 ** 27);
  Deno.removeSync(path);
});
