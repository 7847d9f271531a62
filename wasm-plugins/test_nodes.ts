// SPDX-License-Identifier: MIT
// What tests of nodes with several children share: files below them, and random work compared with a
// model of the disk.

import assert from "node:assert/strict";
import type { TestClient } from "../core/backend/testing.ts";
import { fill } from "./test_graph.ts";

/** Compares without listing thousands of differences. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  assert.equal(actual.length, expected.length, `length of ${what}`);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at >= 0) assert.fail(`${what} differ at ${at}: ${actual[at]}, not ${expected[at]}`);
}

/** Temporary files with `contents`, as long as `use` runs. */
export function withFiles(
  contents: readonly Uint8Array[],
  use: (paths: string[]) => void,
): void {
  const directory = Deno.makeTempDirSync();
  try {
    use(contents.map((bytes, i) => {
      const path = `${directory}/${i}.img`;
      Deno.writeFileSync(path, bytes);
      return path;
    }));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Numbers that are the same for the same seed: 0 to bound - 1. */
export function randomFrom(seed: number): (bound: number) => number {
  let state = seed + 1;
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
}

/** Writes, zeroes, trims and reads at random, in `model` as well; reads are compared. */
export function randomChanges(
  disk: TestClient,
  model: Uint8Array,
  seed: number,
  { rounds = 150, lengthMax = 20_000, trims = true } = {},
): void {
  const random = randomFrom(seed);
  for (let round = 0; round < rounds; round++) {
    const length = 1 + random(Math.min(lengthMax, model.length));
    const at = random(model.length - length + 1);
    const kind = round % 5;
    if (kind === 3) {
      disk.zero(at, length);
      model.fill(0, at, at + length);
    } else if (kind === 4 && trims && disk.opened.info.can.trim !== 0) {
      disk.trim(at, length);
      // What was trimmed may be anything: make it known again.
      disk.write(at, model.subarray(at, at + length));
    } else {
      const data = fill(length, round * 7 + seed);
      disk.write(at, data);
      model.set(data, at);
    }
    const readLength = 1 + random(Math.min(4 * lengthMax, model.length));
    const from = random(model.length - readLength + 1);
    assertSameBytes(disk.read(from, readLength), model.subarray(from, from + readLength));
  }
}
