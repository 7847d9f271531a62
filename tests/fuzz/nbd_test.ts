// SPDX-License-Identifier: MIT
// The fuzzer itself: the same seed is the same stream, and what the server says wrongly is noticed.

import assert from "node:assert/strict";
import { StreamRunner } from "./run_stream.ts";

const SEED = 4711;
const STREAMS = 300;

/** How many of the streams are judged as right when the server's words are changed by `tamper`. */
function right(tamper: ((output: Uint8Array) => Uint8Array) | null): number {
  const runner = new StreamRunner();
  runner.tamper = tamper;
  let count = 0;
  for (let index = 0; index < STREAMS; index++) {
    try {
      runner.run(SEED, index);
      count++;
    } catch {
      // Noticed.
    }
  }
  return count;
}

Deno.test("streams that the fuzzer makes are judged as right", () => {
  assert.equal(right(null), STREAMS);
});

Deno.test("seed and number make the stream", () => {
  const [one, two] = [new StreamRunner(), new StreamRunner()];
  const seen = new Set<string>();
  for (let index = 0; index < STREAMS; index++) {
    one.make(SEED, index);
    two.make(SEED, STREAMS - index);
    two.make(SEED, index);
    assert.deepEqual(one.bytes, two.bytes);
    seen.add(one.bytes.toHex());
  }
  assert.ok(seen.size > STREAMS * 0.95);
});

Deno.test("a byte too many or too few is noticed", () => {
  assert.equal(right((output) => output.subarray(0, output.length - 1)), 0);
  assert.equal(right((output) => new Uint8Array([...output, 0])), 0);
});

Deno.test("a byte that is wrong is noticed, but for texts and the like", () => {
  const flipped = right((output) => {
    const copy = output.slice();
    copy[Math.floor(copy.length * 0.7)]! ^= 0x10;
    return copy;
  });
  assert.ok(flipped < STREAMS / 2, `${flipped} of ${STREAMS}`);
});
