// SPDX-License-Identifier: MIT
// The specification, the C header and the host say the same: types of all functions (for other languages see
// ../sdk/declarations_test.ts), names of features and capabilities, keys of the manifest, types of parameters, limits.

import assert from "node:assert/strict";
import {
  type AbiFunction,
  CallFlag,
  DataFlag,
  EXPORTS,
  FEATURES,
  FileFlag,
  IMPORTS,
  OpenFlag,
  Value,
  ZeroFlag,
} from "../../core/plugin/abi.ts";
import { TIMERS_MAX } from "../../core/plugin/agenda.ts";
import { CAPABILITIES } from "../../core/plugin/capabilities.ts";
import { FILE_BYTES_MAX, FILE_JOBS_MAX, FILES_MAX } from "../../core/plugin/files.ts";
import { RANDOM_BYTES_MAX } from "../../core/plugin/service_imports.ts";
import { MANIFEST_KEYS } from "../../core/plugin/manifest_check.ts";
import { NODE_KEYS } from "../../core/plugin/manifest_node.ts";
import { PARAMETER_TYPES } from "../../core/plugin/parameters.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));
const README = read("README.md");
const HEADER = read("sandblock.h");

const NAMES: Readonly<Record<number, string>> = {
  [Value.I32]: "i32",
  [Value.Count]: "i64",
  [Value.BigInt]: "i64",
  [Value.Pointer]: "P",
};

function signature({ parameters, results }: AbiFunction): string {
  const list = parameters.map((value) => NAMES[value]).join(", ");
  return `(${list}) -> ${results.length === 0 ? "()" : NAMES[results[0]!]}`;
}

/** The type of the ABI that a C type is. */
function cType(text: string): string {
  if (text.includes("*") || /\bsize_t\b/.test(text)) return "P";
  if (/\bu?int64_t\b/.test(text)) return "i64";
  assert.match(text, /\bu?int32_t\b/, `a C type that the ABI does not have: ${text}`);
  return "i32";
}

Deno.test("each function has the same type in the header and in the host", () => {
  const prototype = /SB_(IMPORT|EXPORT)\("(\w+)"\)\s+([\w\s]+?[\s*]+)(\w+)\(([^)]*)\);/g;
  const seen: string[] = [];
  for (const [, way, name, result, cName, parameters] of HEADER.matchAll(prototype)) {
    const abi = (way === "IMPORT" ? IMPORTS : EXPORTS).get(name!)!;
    const list = parameters!.split(",").map((one) => one.trim()).filter((one) => one !== "void");
    const types = list.filter((one) => one !== "").map(cType).join(", ");
    const returned = /^\s*void\s*$/.test(result!) ? "()" : cType(result!);
    assert.equal(`(${types}) -> ${returned}`, signature(abi), name);
    assert.equal(cName, way === "IMPORT" ? `sb_${name}` : name);
    seen.push(name!);
  }
  assert.deepEqual(seen.sort(), [...IMPORTS.keys(), ...EXPORTS.keys()].sort());
});

/** First cells of the table whose header begins with `head`. */
function firstCells(head: string, from = 0): string[] {
  const start = README.indexOf(head, from);
  assert(start >= 0, head);
  const cells: string[] = [];
  for (const line of README.slice(start).split("\n").slice(2)) {
    if (!line.startsWith("|")) break;
    cells.push(...[...line.split("|")[1]!.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!));
  }
  return cells;
}

Deno.test("the specification names the features, capabilities, keys and types that there are", () => {
  const features = [...README.matchAll(/Features of 3\.\d: ([^.]*)\./g)].map(([, list]) => list);
  const named = [...features.join(" ").matchAll(/`(\w+)`/g)].map(([, name]) => name!);
  assert.deepEqual(named.sort(), [...FEATURES].sort());
  const granted = firstCells("| name     | what is granted");
  assert.deepEqual(granted.sort(), Object.keys(CAPABILITIES).sort());
  const section = (title: string) => README.indexOf(`\n## ${title}`);
  const keys = [
    ...firstCells("| key ", section("2 Manifest")),
    ...firstCells("| key ", section("15 Filters")),
    ...firstCells("| key ", section("16 Features")),
    "capabilities",
  ].map((key) => key.replace(/\..*/, ""));
  assert.deepEqual([...new Set(keys)].sort(), [...MANIFEST_KEYS, ...NODE_KEYS].sort());
  const types = firstCells("| type ", section("3 Parameters"));
  assert.deepEqual([...new Set(types)].sort(), [...PARAMETER_TYPES].sort());
});

Deno.test("limits of capabilities and timers are those of the host", () => {
  const says = (pattern: RegExp, value: number) =>
    assert.equal(Number(pattern.exec(README)?.[1]?.replaceAll(",", "")), value, `${pattern}`);
  says(/At most (\d+) are open at a time/, FILES_MAX);
  says(/At most (\d+) may be under way \(EAGAIN\)/, FILE_JOBS_MAX);
  says(/Fills memory, at most ([\d,]+) bytes/, RANDOM_BYTES_MAX);
  says(/where (\d+) timers are set already/, TIMERS_MAX);
  assert.match(README, /all of `count` bytes, at most 2\^30\./);
  assert.equal(FILE_BYTES_MAX, 2 ** 30);
});

Deno.test("flags have the same numbers in the header and in the host", () => {
  const numbers = Object.fromEntries(
    [...HEADER.matchAll(/\bSB_([A-Z_0-9]+) = (-?\d+)/g)].map(([, name, value]) => [name, +value!]),
  );
  const flags = {
    FUA: CallFlag.Fua,
    MAY_TRIM: CallFlag.MayTrim,
    FAST_ZERO: CallFlag.FastZero,
    REQ_ONE: CallFlag.ReqOne,
    OPEN_READ_ONLY: OpenFlag.ReadOnly,
    STABLE: DataFlag.Stable,
    HOLE: ZeroFlag.Hole,
    FILE_WRITE: FileFlag.Write,
    FILE_CREATE: FileFlag.Create,
    FILE_EXCLUSIVE: FileFlag.Exclusive,
    FILE_TRUNCATE: FileFlag.Truncate,
    FILE_LOCK: FileFlag.Lock,
    PENDING: -1,
  };
  for (const [name, value] of Object.entries(flags)) assert.equal(numbers[name], value, name);
});
