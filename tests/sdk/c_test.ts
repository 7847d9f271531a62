// SPDX-License-Identifier: MIT
// A plugin and a filter in C, from `plugin new` to the conformance kit; and all of the SDK compiles.

import assert from "node:assert/strict";
import { install } from "../peers.ts";
import { output } from "../support/command.ts";
import { sandblock } from "../support/program.ts";
import { tryNewPlugin, withNewPlugin } from "./new_plugin.ts";

const SDK = new URL("../../wasm-plugins/sdk/c/sandblock_sdk.h", import.meta.url).pathname;
const ABI = new URL("../../wasm-plugins/abi/", import.meta.url).pathname;

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in C builds, serves and passes the conformance kit`, async () => {
    await install({ clang: "clang", "wasm-ld": "lld" });
    await tryNewPlugin({ language: "c", kind });
  });
}

Deno.test("a new RAM disk in C is as large as its manifest says that it may be", async () => {
  await install({ clang: "clang", "wasm-ld": "lld" });
  await withNewPlugin({ language: "c", kind: "plugin" }, async (cwd, module) => {
    for (const gib of [1, 3]) {
      const run = ["--run", 'nbdinfo --size "$uri"'];
      const size = await output([...sandblock(), "serve", module, `size=${gib}G`, ...run], { cwd });
      assert.equal(size.trim(), `${gib * 2 ** 30}`);
    }
  });
});

for (const target of ["wasm32", "wasm64"]) {
  for (const language of ["c", "c++"]) {
    Deno.test(`the SDK compiles for ${target} as ${language} without a warning`, async () => {
      await install({ clang: "clang", "wasm-ld": "lld" });
      const flags = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-mbulk-memory", `-I${ABI}`];
      await output(["clang", `--target=${target}`, ...flags, "-x", language, SDK]);
    });
  }
}
