// SPDX-License-Identifier: MIT
// Medians, paired ratios, spread and rotation.

import assert from "node:assert/strict";
import { median, pairedRatio, rotated, spread } from "./statistics.ts";

Deno.test("the median of an odd count is the middle value", () => {
  assert.equal(median([30, 10, 20]), 20);
});

Deno.test("the median of an even count is the mean of the two middle values", () => {
  assert.equal(median([40, 10, 20, 30]), 25);
});

Deno.test("the median leaves its argument as it was and is NaN of nothing", () => {
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("a paired ratio compares within a repetition, so drift of the machine cancels", () => {
  // The machine is ten times slower in the second repetition; ours is twice as fast in all.
  assert.equal(pairedRatio([200, 20, 202], [100, 10, 101]), 2);
});

Deno.test("a paired ratio passes over repetitions that either side lacks", () => {
  assert.equal(pairedRatio([null, 30, 90], [1, 10, null]), 3);
  assert.equal(pairedRatio([30, 40], [10]), 3);
  assert.ok(Number.isNaN(pairedRatio([null], [10])));
});

Deno.test("the spread is half the range over the median", () => {
  assert.equal(spread([90, 100, 110]), 0.1);
  assert.equal(spread([7]), 0);
});

Deno.test("rotation turns left and goes round", () => {
  assert.deepEqual(rotated(["a", "b", "c"], 1), ["b", "c", "a"]);
  assert.deepEqual(rotated(["a", "b", "c"], 5), ["c", "a", "b"]);
  assert.deepEqual(rotated([], 5), []);
});
