// SPDX-License-Identifier: MIT
// Which promises a result keeps.

import assert from "node:assert/strict";
import { exampleResult } from "./example_result.ts";
import { ROWS } from "./rows.ts";
import { checkTargets, timesNbdkit } from "./targets.ts";

const verdicts = (rates: Record<string, (number | null)[]>) =>
  checkTargets(exampleResult(rates)).map(({ promise, passed }) => `${promise}: ${passed}`);

Deno.test("a rate above all promises passes all of them", () => {
  const rates = { sandblock: [80, 80, 80], limit: [100, 100, 100], nbdkit: [20, 20, 20] };
  assert.deepEqual(verdicts(rates), [
    ">= 3 x nbdkit: true",
    "> best peer: true",
    ">= 0.7 x limit: true",
  ]);
});

Deno.test("the best peer counts, not the last or the average one", () => {
  const rates = { sandblock: [80], nbdkit: [20], "qemu-nbd": [90] };
  assert.deepEqual(verdicts(rates), [">= 3 x nbdkit: true", "> best peer: false"]);
});

Deno.test("a server that is as fast as the best peer is not ahead of it", () => {
  assert.deepEqual(verdicts({ sandblock: [80], "qemu-nbd": [80] }), ["> best peer: false"]);
});

Deno.test("the share of the limit is exact at its bound", () => {
  assert.deepEqual(verdicts({ sandblock: [70], limit: [100] }), [">= 0.7 x limit: true"]);
  assert.deepEqual(verdicts({ sandblock: [69], limit: [100] }), [">= 0.7 x limit: false"]);
});

Deno.test("a peer whose runs all failed is no rival", () => {
  assert.deepEqual(verdicts({ sandblock: [80], "qemu-nbd": [null] }), []);
});

Deno.test("multiples of nbdkit are promised for one connection, by depth and direction", () => {
  const promised = Object.fromEntries(ROWS.map((row) => [row.name, timesNbdkit(row)]));
  assert.equal(promised["memory/randread-1"], 3);
  assert.equal(promised["memory/randwrite-1"], 3);
  assert.equal(promised["memory/randread-64"], 1.8);
  assert.equal(promised["memory/randwrite-16"], 1.5);
  assert.equal(promised["memory/write-1m"], 2);
  assert.equal(promised["memory/read-128k"], 2);
  assert.equal(promised["file/randwrite-1"], 2);
  assert.equal(promised["file/randread-16"], 0);
  assert.equal(promised["memory/randread-1x4"], 0);
});

Deno.test("a footprint is checked where it was measured, and fails where it could not be", () => {
  const result = exampleResult({ sandblock: [80] });
  result.footprints.push({
    server: "sandblock",
    startMs: [100, 140, 400],
    peakEmptyBytes: 90e6,
    peakReadBytes: 121e6,
    idleCpu: 0.004,
    idleConnectionsBytes: null,
  });
  assert.deepEqual(checkTargets(result).map(({ measured, passed }) => [measured, passed]), [
    ["140 ms", true],
    ["0.40 %", true],
    ["121.0 MB", false],
    ["not measured", false],
  ]);
});
