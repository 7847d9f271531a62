// SPDX-License-Identifier: MIT
// Words that are near are suggested, others are not.

import assert from "node:assert/strict";
import fc from "fast-check";
import { didYouMean, editDistance, suggest } from "./suggest.ts";

Deno.test("editDistance counts letters to insert, delete, replace or swap", () => {
  const cases: [string, string, number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["size", "size", 0],
    ["size", "szie", 1],
    ["size", "sizes", 1],
    ["size", "sze", 1],
    ["size", "side", 1],
    ["kitten", "sitting", 3],
  ];
  for (const [from, to, distance] of cases) assert.equal(editDistance(from, to), distance, from);
});

Deno.test("editDistance is the same both ways and 0 only for equal words", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(fc.property(word, word, (from, to) => {
    const distance = editDistance(from, to);
    assert.equal(distance, editDistance(to, from));
    assert.equal(distance === 0, from === to);
    assert(distance <= Math.max(from.length, to.length));
  }));
});

Deno.test("suggest finds the nearest word, if one is near", () => {
  const names = ["size", "seed", "readonly"];
  assert.equal(suggest("szie", names), "size");
  assert.equal(suggest("SIZE", names), "size");
  assert.equal(suggest("read-only", names), "readonly");
  assert.equal(suggest("sed", names), "seed");
  assert.equal(suggest("colour", names), undefined);
  assert.equal(suggest("x", []), undefined);
  assert.equal(didYouMean("szie", names), '; did you mean "size"?');
  assert.equal(didYouMean("colour", names), "");
});
