// SPDX-License-Identifier: MIT
// The SDKs for AssemblyScript, Go and Rust declare every function of the host as it is, and define those of
// the plugin as the host calls them. (The C header is compared in ../abi/agreement_test.ts.)

import assert from "node:assert/strict";
import { type AbiFunction, EXPORTS, IMPORTS, Value } from "../../core/plugin/abi.ts";

/** Name, types of parameters, type of the result. */
type Signature = [string, string[], string];

const WASM_TYPES: Readonly<Record<number, string>> = {
  [Value.I32]: "i32",
  [Value.Count]: "i64",
  [Value.BigInt]: "i64",
  [Value.Pointer]: "P",
};

function expected(functions: ReadonlyMap<string, AbiFunction>): Signature[] {
  return [...functions].map(([name, { parameters, results }]) => {
    const [result] = results.map((value) => WASM_TYPES[value]!);
    return [name, parameters.map((value) => WASM_TYPES[value]!), result ?? ""];
  });
}

/** The text of all files of `folder` that end with `ending`. */
function sources(folder: string, ending: string): string {
  const url = new URL(`${folder}/`, import.meta.url);
  const names = [...Deno.readDirSync(url)].map(({ name }) => name);
  const texts = names.filter((name) => name.endsWith(ending) && !name.endsWith("_test.ts"))
    .map((name) => Deno.readTextFileSync(new URL(name, url)));
  return texts.join("\n");
}

function sorted(signatures: Signature[]): Signature[] {
  return signatures.sort(([a], [b]) => a < b ? -1 : 1);
}

/** The functions that `pattern` (name, parameters, result) finds, whose types `typeOf` knows. */
function found(
  text: string,
  pattern: RegExp,
  parameterTypes: (list: string) => string[],
  types: Readonly<Record<string, string>>,
): Signature[] {
  const typeOf = (name: string) => types[name] ?? `unknown type ${name}`;
  return sorted(
    [...text.matchAll(pattern)].map(([, name, parameters, result]) => {
      return [name!, parameterTypes(parameters!).map(typeOf), result ? typeOf(result) : ""];
    }),
  );
}

function compare(declared: Signature[], functions: ReadonlyMap<string, AbiFunction>): void {
  assert.deepEqual(declared, sorted(expected(functions)));
}

/** `a: i32, b: u64` */
function typedNames(list: string): string[] {
  return [...list.matchAll(/:\s*(\w+)/g)].map(([, type]) => type!);
}

/** `a, b int32, p unsafe.Pointer`: a type holds for the names before it that have none. */
function goTypes(list: string): string[] {
  const types: string[] = [];
  for (const one of list.split(",").reverse()) {
    const [, type] = one.trim().split(/\s+/);
    if (one.trim() !== "") types.unshift(type ?? types[0]!);
  }
  return types;
}

const RUST = { i32: "i32", u64: "i64", i64: "i64", usize: "P" };
const ASSEMBLYSCRIPT = { i32: "i32", u64: "i64", i64: "i64", usize: "P", void: "" };
const GO = {
  "int32": "i32",
  "uint64": "i64",
  "int64": "i64",
  "uint32": "P",
  "unsafe.Pointer": "P",
};

/** What only C, C++ and AssemblyScript have words for. A plugin in Rust defines it as it is called. */
const isZones = (name: string) => name.startsWith("zone") || name.startsWith("sb_zone");
const UNZONED = new Map([...EXPORTS].filter(([name]) => !isZones(name)));

Deno.test("the Rust SDK declares every function of the host as it is", () => {
  const pattern = /pub fn (\w+)\(([^)]*)\)(?: -> (\w+))?;/g;
  compare(found(sources("rust/src", "raw.rs"), pattern, typedNames, RUST), IMPORTS);
});

Deno.test("the Rust SDK defines every function of a plugin as it is called", () => {
  // Those for ranges have their name from a parameter of a macro.
  const macros = sources("rust/src", "macros.rs");
  const pattern = /extern "C" fn (sb_\w+)\(([^)]*)\)(?: -> (\w+))?/g;
  const direct = found(macros, pattern, typedNames, RUST);
  const [, parameters, result] = /extern "C" fn \$export\(([^)]*)\) -> (\w+)/.exec(macros)!;
  const ranges = [...macros.matchAll(/range_function!\((sb_\w+),/g)].map(([, name]): Signature => {
    return [name!, typedNames(parameters!).map((type) => RUST[type as "i32"]!), result!];
  });
  const all = new Map([...direct, ...ranges].map((one) => [one[0], one]));
  compare(sorted([...all.values()]), UNZONED);
});

Deno.test("the AssemblyScript SDK declares every function of the host as it is", () => {
  const pattern =
    /@external\("sandblock:v3", "(\w+)"\)\s*export declare function \w+\(([^)]*)\):\s*(\w+)/g;
  const text = sources("assemblyscript/assembly", ".ts");
  compare(found(text, pattern, typedNames, ASSEMBLYSCRIPT), IMPORTS);
});

Deno.test("the Go SDK declares every function of the host as it is", () => {
  const pattern = /\/\/go:wasmimport sandblock:v3 (\w+)\nfunc \w+\(([^)]*)\) ?([\w.]+)?/g;
  // A plugin with calls that wait may not export sb_done, which every plugin in Go does: it has goroutines.
  const offered = new Map([...IMPORTS].filter(([name]) => name !== "sleep" && !isZones(name)));
  compare(found(sources("go/sandblock", ".go"), pattern, goTypes, GO), offered);
});

Deno.test("the Go SDK defines every function of a plugin as it is called", () => {
  const pattern = /\/\/go:wasmexport (\w+)\nfunc \w+\(([^)]*)\) ?([\w.]+)?/g;
  compare(found(sources("go/sandblock", ".go"), pattern, goTypes, GO), UNZONED);
});
