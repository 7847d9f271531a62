// SPDX-License-Identifier: MIT
// A plugin and a filter in C, from `plugin new` to the conformance kit; and all of the SDK compiles.

import { install } from "../peers.ts";
import { output } from "../support/command.ts";
import { tryNewPlugin } from "./new_plugin.ts";

const SDK = new URL("../../wasm-plugins/sdk/c/sandblock_sdk.h", import.meta.url).pathname;
const ABI = new URL("../../wasm-plugins/abi/", import.meta.url).pathname;

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in C builds, serves and passes the conformance kit`, async () => {
    await install({ clang: "clang", "wasm-ld": "lld" });
    await tryNewPlugin({ language: "c", kind });
  });
}

for (const target of ["wasm32", "wasm64"]) {
  for (const language of ["c", "c++"]) {
    Deno.test(`the SDK compiles for ${target} as ${language} without a warning`, async () => {
      await install({ clang: "clang", "wasm-ld": "lld" });
      const flags = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-mbulk-memory", `-I${ABI}`];
      await output(["clang", `--target=${target}`, ...flags, "-x", language, SDK]);
    });
  }
}
