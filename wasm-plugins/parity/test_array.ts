// SPDX-License-Identifier: MIT
// What an array looks like on its devices, worked out from its documentation alone.

import assert from "node:assert/strict";

/** Where the chunks begin. */
export function dataStart(journal: number): number {
  return 65536 + journal;
}

/** The chunk of `row` on a device. */
function chunkAt(device: Uint8Array, row: number, journal: number, chunk: number): Uint8Array {
  const at = dataStart(journal) + row * chunk;
  return device.subarray(at, at + chunk);
}

function rowsOf(devices: readonly Uint8Array[], journal: number, chunk: number): number {
  const least = Math.min(...devices.map(({ length }) => length));
  return Math.floor((least - dataStart(journal)) / chunk);
}

/** Fails unless the chunks of every row add up to zeroes. */
export function assertParity(
  devices: readonly Uint8Array[],
  journal: number,
  chunk: number,
): void {
  for (let row = 0; row < rowsOf(devices, journal, chunk); row++) {
    const sum = new Uint8Array(chunk);
    for (const device of devices) {
      const bytes = chunkAt(device, row, journal, chunk);
      for (let i = 0; i < chunk; i++) sum[i]! ^= bytes[i]!;
    }
    const at = sum.findIndex((byte) => byte !== 0);
    assert.equal(at, -1, `the parity of row ${row} is wrong at ${at}`);
  }
}

/** The disk that the data chunks make up: left-symmetric, as Linux's md calls it. */
export function diskOf(
  devices: readonly Uint8Array[],
  journal: number,
  chunk: number,
): Uint8Array<ArrayBuffer> {
  const count = devices.length;
  const rows = rowsOf(devices, journal, chunk);
  const disk = new Uint8Array(rows * (count - 1) * chunk);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const parity = count - 1 - row % count;
    for (let index = 0; index < count - 1; index++, at += chunk) {
      disk.set(chunkAt(devices[(parity + 1 + index) % count]!, row, journal, chunk), at);
    }
  }
  return disk;
}
