// SPDX-License-Identifier: MIT
// Tables and number formats.

import assert from "node:assert/strict";
import { formatBandwidth, formatCount, formatMarkdown, formatNumber, formatText } from "./table.ts";

const TABLE = { title: "Rates", head: ["row", "a"], body: [["randread", "81.2k"], ["x", "9"]] };

Deno.test("text tables align the first column to the left and the others to the right", () => {
  assert.equal(formatText(TABLE), "Rates\n\nrow           a\nrandread  81.2k\nx             9\n");
});

Deno.test("Markdown tables say the alignment in their rule", () => {
  assert.equal(
    formatMarkdown(TABLE),
    "Rates:\n\n| row      |     a |\n| -------- | ----: |\n| randread | 81.2k |\n| x        |     9 |\n",
  );
});

Deno.test("rates keep three digits", () => {
  assert.equal(formatCount(81234), "81.2k");
  assert.equal(formatCount(1254000), "1.25M");
  assert.equal(formatCount(712.4), "712");
  assert.equal(formatBandwidth(3314e6), "3.31 GB/s");
  assert.equal(formatBandwidth(712.4e6), "712 MB/s");
});

Deno.test("what was not measured is a dash", () => {
  assert.equal(formatCount(NaN), "-");
  assert.equal(formatBandwidth(NaN), "-");
  assert.equal(formatNumber(null, 1), "-");
  assert.equal(formatNumber(undefined, 1), "-");
  assert.equal(formatNumber(1.25, 1), "1.3");
});
