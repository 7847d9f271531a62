// SPDX-License-Identifier: MIT
// A plugin and a filter in Rust, from `plugin new` to the conformance kit; a plugin that uses all of the
// SDK; and the functions of the host as the SDK declares them.

import assert from "node:assert/strict";
import { IMPORTS, Value } from "../../core/plugin/abi.ts";
import { tryNewPlugin } from "./new_plugin.ts";
import { cargoCommand } from "./toolchains.ts";

const EVERYTHING = new URL("rust/everything.rs", import.meta.url);
const RAW = new URL("../../wasm-plugins/sdk/rust/src/raw.rs", import.meta.url);

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Rust builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({ language: "rust", kind, variables: { CARGO: await cargoCommand() } });
  });
}

Deno.test("a plugin that has every trait of the Rust SDK passes the conformance kit", async () => {
  await tryNewPlugin({
    language: "rust",
    kind: "plugin",
    variables: { CARGO: await cargoCommand() },
    replaced: { "src/lib.rs": await Deno.readTextFile(EVERYTHING) },
  });
});

const TYPES = {
  [Value.I32]: "i32",
  [Value.Count]: "u64",
  [Value.BigInt]: "i64",
  [Value.Pointer]: "usize",
};

Deno.test("the Rust SDK declares every function of the host as it is", () => {
  const text = Deno.readTextFileSync(RAW);
  const declared = [...text.matchAll(/pub fn (\w+)\(([^)]*)\)(?: -> (\w+))?;/g)];
  const found = declared.map(([, name, parameters, result]) => {
    const types = [...parameters!.matchAll(/: (\w+)/g)].map(([, type]) => type!);
    return [name!, types, result === undefined ? [] : [result]];
  });
  const expected = [...IMPORTS].map(([name, { parameters, results }]) => {
    return [name, parameters.map((value) => TYPES[value]), results.map((value) => TYPES[value])];
  });
  assert.deepEqual(found, expected);
});
