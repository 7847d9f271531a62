// SPDX-License-Identifier: MIT
// The WIT package and the core form say the same where they overlap, and its README what is missing.

import assert from "node:assert/strict";
import {
  ABI_MAJOR,
  ABI_MINOR,
  CallFlag,
  EXPORTS,
  FileFlag,
  IMPORTS,
} from "../../../core/plugin/abi.ts";
import { defaultInfo } from "../../../core/plugin/info.ts";
import { LOG_LEVELS } from "../../../core/plugin/instance.ts";
import { Support } from "../../../core/block/export.ts";
import { ZoneCondition, ZoneType } from "../../../core/block/zones.ts";

const WIT = Deno.readTextFileSync(`${import.meta.dirname}/sandblock.wit`);
const README = Deno.readTextFileSync(`${import.meta.dirname}/README.md`);
const HEADER = Deno.readTextFileSync(`${import.meta.dirname}/../sandblock.h`);

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
  assert.deepEqual(members("enum", "zone-type"), inOrder(ZoneType));
  assert.deepEqual(members("enum", "zone-condition"), inOrder(ZoneCondition));
});

Deno.test("the records info and zones have the fields of their structs", () => {
  const fields = Object.keys(defaultInfo(new Set(), 1)).map(kebab);
  assert.deepEqual(["struct-size", ...members("record", "info")], fields);
  const [, struct] = /struct sb_zones_info \{([^}]*)\}/.exec(HEADER)!;
  const names = [...struct!.matchAll(/_t (\w+);/g)].map(([, name]) => name!.replaceAll("_", "-"));
  assert.deepEqual(["struct-size", ...members("record", "zones")], names);
});

/** What functions of the core form are called where that is not their own name; null: not there. */
const RENAMED: Readonly<Record<string, string | null>> = {
  ...Object.fromEntries(
    ["sb_alloc", "sb_free", "sb_place", "sb_close", "release", "reply_buffer", "sleep"]
      .map((name) => [name, null]),
  ),
  ...Object.fromEntries(
    ["error_text", "next_close", "file_close", "net_close", "clock", "random"]
      .map((name) => [name, null]),
  ),
  sb_param_int: "start",
  sb_param_bytes: "start",
  sb_ready: "start",
  sb_list: "list-exports",
  export_add: "list-exports",
  sb_default: "default-export",
  export_default: "default-export",
  sb_describe: "description",
  reply_data: "data",
  reply_zero: "zero",
  reply_error: "fail",
  reply_restart: "restart",
  complete: "finish",
  next_count: "children",
  next_size: "child-size",
  next_info: "child-info",
  next_open: "open-next",
  next_list: "list-next",
  next_default: "default-next",
  net_open: "connect",
};

/** The functions between the line that begins with `from` and its end. */
function functionsIn(from: string): string[] {
  const [, text] = new RegExp(`\\n( *)${from} \\{\\n([^]*?)\\n\\1\\}\\n`).exec(WIT)!.slice(1);
  return [...text!.matchAll(/^ *([a-z-]+): func\(/gm)].map(([, name]) => name!);
}

/** Where a function of the core form is to be found. */
function placeOf(name: string): string {
  if (name.startsWith("sb_") || name.startsWith("export_")) return "interface device";
  if (/^next_(open|list|default)$/.test(name)) return "interface host";
  if (/^(reply_|extent$|complete$|payload$|next_forward$|zone)/.test(name)) {
    return "resource request";
  }
  if (name.startsWith("next_") || /^(peer|resize)$/.test(name)) return "resource context";
  if (name.startsWith("file_")) return "interface files";
  return name.startsWith("net_") ? "interface network" : "interface host";
}

Deno.test("each function of the core form has one in the package", () => {
  const missing = [...EXPORTS.keys(), ...IMPORTS.keys()].flatMap((name) => {
    const short = name.replace(/^(sb|next|file|net)_/, "").replaceAll("_", "-");
    const called = name in RENAMED ? RENAMED[name]! : short;
    if (called === null || functionsIn(placeOf(name)).includes(called)) return [];
    return [`${name}: no "${called}" in ${placeOf(name)}`];
  });
  assert.deepEqual(missing, []);
});

Deno.test("a disk has no function that a plugin cannot say to implement", () => {
  const calls = members("flags", "calls");
  assert.deepEqual(functionsIn("resource disk").filter((name) => !calls.includes(name)), []);
});

Deno.test("the README says of each function of the core form what becomes of it", () => {
  const silent = [...IMPORTS.keys(), ...EXPORTS.keys()].filter((name) => {
    return !README.includes("`" + name + "`");
  });
  assert.deepEqual(silent, []);
});

Deno.test("the version of the package is that of the ABI", () => {
  assert.match(WIT, new RegExp(`^package sandblock:plugin@${ABI_MAJOR}\\.${ABI_MINOR}\\.0;$`, "m"));
});
