// SPDX-License-Identifier: MIT
// What tests of nodes with several children share: files below them, and random work compared with a
// model of the disk.

import assert from "node:assert/strict";
import type { TestClient } from "../core/backend/testing.ts";
import { PluginDevice } from "../core/plugin/instance.ts";
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

/** What a test-fuse (lib/test-fuse) fails, bit by bit. */
export const Fuse = {
  Read: 1,
  Write: 2,
  Flush: 4,
  Trim: 8,
  Zero: 16,
  Extents: 32,
  All: 63,
} as const;

/** Bytes that a test-fuse keeps to itself. */
export const FUSE_BYTES = 4096;

/** Makes the test-fuse above the file at `path` fail `commands` with `errno` from now on. */
export function breakDevice(path: string, commands: number, errno = 5): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(-FUSE_BYTES, Deno.SeekMode.End);
  file.writeSync(Uint8Array.of(commands, errno, 0, 0));
}

/** What is in the file at `path` above which there is a test-fuse. */
export function fusedContents(path: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(path).slice(0, -FUSE_BYTES);
}

/** Lets a device work in the background until `done` says so. */
export function workUntil(disk: TestClient, done: () => boolean, timeoutMs = 10_000): void {
  const deadline = performance.now() + timeoutMs;
  while (!done()) {
    assert(performance.now() < deadline, "the work in the background did not come to its end");
    disk.device.submitQueued();
    disk.device.reap();
  }
}

/** A metric of the topmost node. */
export function metric(disk: TestClient, name: string): number {
  const { device } = disk;
  assert(device instanceof PluginDevice);
  const found = device.metrics().find((one) => one.name === name);
  assert(found !== undefined, `there is no metric "${name}"`);
  return found.value;
}
