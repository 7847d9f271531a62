// SPDX-License-Identifier: MIT
// The WIT package and the core form say the same where they overlap, and its README what is missing.

import assert from "node:assert/strict";
import { CallFlag, EXPORTS, FileFlag, IMPORTS } from "../../../core/plugin/abi.ts";
import { defaultInfo, INFO_BYTES_MIN } from "../../../core/plugin/info.ts";
import { LOG_LEVELS } from "../../../core/plugin/instance.ts";
import { Support } from "../../../core/block/export.ts";

const WIT = Deno.readTextFileSync(`${import.meta.dirname}/sandblock.wit`);
const README = Deno.readTextFileSync(`${import.meta.dirname}/README.md`);

/** The names that the enum, flags or record `name` has, in order. */
function members(kind: string, name: string): string[] {
  const found = new RegExp(`\\b${kind} ${name} \\{([^}]*)\\}`).exec(WIT);
  assert.ok(found, `${kind} ${name}`);
  const lines = found[1]!.split("\n").map((line) => line.replace(/\/\/.*/, "").trim());
  return lines.filter((line) => line !== "").map((line) => /^%?([a-z-]+)/.exec(line)![1]!);
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The names of `flags` as WIT writes them, in the order of their bits. */
function inOrder(flags: Readonly<Record<string, number>>): string[] {
  const names = Object.entries(flags).sort(([, a], [, b]) => a - b).map(([name]) => name);
  return names.map((name) => kebab(name[0]!.toLowerCase() + name.slice(1)));
}

Deno.test("flags, levels and kinds of support have the order of the core form", () => {
  assert.deepEqual(members("flags", "call-flags"), inOrder(CallFlag));
  assert.deepEqual(members("flags", "file-flags"), inOrder(FileFlag));
  assert.deepEqual(members("enum", "level"), [...LOG_LEVELS]);
  const support = Object.entries(Support).sort(([, a], [, b]) => a - b);
  assert.deepEqual(members("enum", "support"), support.map(([name]) => name.toLowerCase()));
});

Deno.test("the record info has the fields of the struct", () => {
  // Those of 3.1.
  const fields = Object.keys(defaultInfo(new Set(), 1)).map(kebab).slice(0, INFO_BYTES_MIN / 4);
  assert.deepEqual(["struct-size", ...members("record", "info")], fields);
});

Deno.test("the README says of each function of the core form what becomes of it", () => {
  const silent = [...IMPORTS.keys(), ...EXPORTS.keys()].filter((name) => {
    return !README.includes("`" + name + "`");
  });
  assert.deepEqual(silent, []);
});

Deno.test("the version of the package is that of the ABI", () => {
  assert.match(WIT, /^package sandblock:plugin@3\.1\.0;$/m);
});
