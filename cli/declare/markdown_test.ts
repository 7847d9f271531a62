// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { markdownSections } from "./markdown.ts";

function blocks(text: string) {
  const [section] = markdownSections(`# page\n\n## TITLE\n\n${text}`);
  assert.equal(section!.title, "TITLE");
  return section!.blocks;
}

Deno.test("sections are found by their headings, and what stands before them is left out", () => {
  const sections = markdownSections("# page\n\nlost\n\n## ONE\n\na\n\n## TWO THREE\n\nb\nc\n");
  assert.deepEqual(sections, [
    { title: "ONE", blocks: ["a"] },
    { title: "TWO THREE", blocks: ["b c"] },
  ]);
});

Deno.test("marks are taken away, but not within code", () => {
  assert.deepEqual(blocks("**Yes**, *it* is `a*b*c`: [this](../x.md#y), [that](https://z)."), [
    "Yes, it is a*b*c: this, that (https://z).",
  ]);
  assert.deepEqual(blocks("2 * 3 * 4"), ["2 * 3 * 4"]);
});

Deno.test("code keeps its lines, fenced or indented, across empty lines", () => {
  assert.deepEqual(blocks("    a [ b ]\n\n      c"), [{ code: ["a [ b ]", "", "  c"] }]);
  assert.deepEqual(blocks("```sh\na\n  b\n```"), [{ code: ["a", "  b"] }]);
});

Deno.test("items of a list are terms, and go on in the next line", () => {
  assert.deepEqual(blocks("- one\n  more\n- two"), [{
    terms: [{ term: "-", blocks: ["one more"] }, { term: "-", blocks: ["two"] }],
  }]);
  assert.deepEqual(blocks("1. one\n2. two"), [{
    terms: [{ term: "1.", blocks: ["one"] }, { term: "2.", blocks: ["two"] }],
  }]);
});

Deno.test("rows of a table are terms", () => {
  assert.deepEqual(blocks("| a | b |\n| --- | --- |\n| `x=A\\|B` | one | \n| y | two |"), [{
    terms: [{ term: "x=A|B", blocks: ["one"] }, { term: "y", blocks: ["two"] }],
  }]);
});

Deno.test("definitions are terms, in both ways of writing them", () => {
  assert.deepEqual(blocks("**size=SIZE**\n: How\nlarge.\n\n`@N` (so) : Moves: there."), [{
    terms: [{ term: "size=SIZE", blocks: ["How large."] }, {
      term: "@N (so)",
      blocks: ["Moves: there."],
    }],
  }]);
  assert.deepEqual(blocks("A `size` : no definition"), ["A size : no definition"]);
});

Deno.test("headings below are headings", () => {
  assert.deepEqual(blocks("### More\n\ntext"), [{ heading: "More" }, "text"]);
});
