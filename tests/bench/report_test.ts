// SPDX-License-Identifier: MIT
// The page and the plot that are made from a result.

import assert from "node:assert/strict";
import { exampleResult } from "./example_result.ts";
import { plot } from "./plot.ts";
import { replaceSection, section } from "./report.ts";

const RATES = {
  sandblock: [80e3, 90e3, 100e3],
  limit: [100e3, 110e3, 120e3],
  nbdkit: [20e3, 45e3, null],
};

Deno.test("the section shows medians, ratios and missed promises", () => {
  const text = section(exampleResult(RATES));
  assert.match(text, /nbdkit 1\.32\.5; fio 3\.33/);
  assert.match(
    text,
    /\| 4k randread, depth 1 +\| +90\.0k \| +11 % \| +0\.82 \| +3\.00 \| +PASS \|/,
  );
  assert.match(text, /3 of 3 promises hold/);
  const slow = section(exampleResult({ ...RATES, sandblock: [50e3, 50e3, 50e3] }));
  assert.match(slow, /- missed: memory\/randread-1: >= 3 x nbdkit; measured 1\.81 x nbdkit/);
});

Deno.test("only what lies between the markers is replaced, as often as one likes", () => {
  const begin = "<!-- begin: written by tests/bench/report.ts -->";
  const end = "<!-- end: written by tests/bench/report.ts -->";
  const page = `# Title\n\n${begin}\nold\n${end}\n\nafter\n`;
  const once = replaceSection(page, "new");
  assert.equal(once, `# Title\n\n${begin}\n\nnew\n\n${end}\n\nafter\n`);
  assert.equal(replaceSection(once, "new"), once);
});

Deno.test("a page without markers is refused", () => {
  assert.throws(() => replaceSection("# Title\n", "new"), /cannot write the report/);
});

Deno.test("the plot has a mark for every server that ran and says its rate", () => {
  const drawn = plot(exampleResult(RATES));
  assert.match(drawn, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  // Each once in the legend and once in the row: circles, and a triangle for the limit.
  assert.equal(drawn.match(/<circle /g)?.length, 4);
  assert.equal(drawn.match(/<path /g)?.length, 2);
  assert.match(drawn, />90\.0k</);
});

Deno.test("the plot escapes what servers call themselves", () => {
  const result = exampleResult(RATES);
  result.servers.find(({ id }) => id === "nbdkit")!.version = '<1 & "2">';
  assert.match(plot(result), /nbdkit &lt;1 &amp; &quot;2&quot;&gt;/);
});
