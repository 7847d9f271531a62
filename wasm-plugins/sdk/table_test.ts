// SPDX-License-Identifier: MIT
// The table of README.md has every function of the ABI, and what it names is in the SDKs.

import assert from "node:assert/strict";
import { EXPORTS, IMPORTS } from "../../core/plugin/abi.ts";

const ROOT = new URL("./", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));

/** Where the sources of each column are, and what their names end with. */
const COLUMNS: readonly { title: string; folders: string[]; ending: RegExp }[] = [
  { title: "C, C++", folders: ["../abi", "c"], ending: /\.h$/ },
  { title: "AssemblyScript", folders: ["assemblyscript/assembly"], ending: /\.ts$/ },
  { title: "Go", folders: ["go/sandblock"], ending: /\.go$/ },
  { title: "JavaScript", folders: ["javascript/sandblock"], ending: /\.js$/ },
  { title: "Python", folders: ["python/sandblock"], ending: /\.py$/ },
  { title: "Rust", folders: ["rust/src"], ending: /\.rs$/ },
];

/** Cells without names. */
const WORDS = ["same", "itself", "WASI", "no"];
/** What components have no use for (abi/wit/README.md), and languages whose requests wait in another way. */
const LEFT_OUT = ["reply_buffer", "release", "sb_place", "sleep"];
/** What few devices have. */
const isZones = (name: string) => name.startsWith("zone") || name.startsWith("sb_zone");

const rows = [...README.matchAll(/^\| `([a-z_]+)` \| (.*) \|$/gm)]
  .map(([, name, cells]) => ({ name: name!, cells: cells!.split(" | ") }));

Deno.test("the table of SDKs has every function of the ABI, in order", () => {
  const head = ["ABI", ...COLUMNS.map(({ title }) => title)].join(" | ");
  assert.ok(README.includes(`| ${head} |\n`), head);
  const order = [...IMPORTS.keys(), ...EXPORTS.keys()];
  assert.deepEqual(rows.map(({ name }) => name), order);
});

COLUMNS.forEach(({ title, folders, ending }, column) => {
  Deno.test(`what the table says about ${title} is there`, () => {
    const words = wordsOf(folders, ending);
    for (const { name, cells } of rows) {
      const cell = cells[column]!;
      if (cell === "no") assert.ok(LEFT_OUT.includes(name) || isZones(name), `${name}: ${cell}`);
      if (WORDS.includes(cell)) continue;
      const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, named]) => named!);
      assert.notEqual(names.length, 0, `${name}: ${cell}`);
      for (const part of names.flatMap((named) => named.match(/\w+/g)!)) {
        assert.ok(words.has(part), `${name}: there is no "${part}"`);
      }
    }
  });
});

/** All words of the sources but those of comments. */
function wordsOf(folders: readonly string[], ending: RegExp): Set<string> {
  const texts = folders.flatMap((folder) => {
    const url = new URL(`${folder}/`, ROOT);
    return [...Deno.readDirSync(url)].filter(({ name }) => ending.test(name))
      .map(({ name }) => Deno.readTextFileSync(new URL(name, url)));
  });
  const code = texts.join("\n").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$|^\s*#(?!define).*$/gm, "");
  return new Set(code.match(/\w+/g));
}
