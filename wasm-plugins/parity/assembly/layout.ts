// SPDX-License-Identifier: MIT
// Where the bytes of the disk lie (README.md, "On the devices"): rows of one chunk on each device, one of
// which is the parity of the others, in the order that is called left-symmetric.

import { nextCount } from "../../sdk/assemblyscript/assembly";

/** Each device begins with two superblocks; then comes the journal, then the chunks. */
export const SUPERBLOCK_BYTES: u64 = 4096;
export const JOURNAL_START: u64 = 65536;

/** Bytes of a chunk, a power of two, and of the journal; rows of the disk. */
export let chunk: u64 = 0;
export let journalBytes: u64 = 0;
export let rows: u64 = 0;

export function setLayout(chunkBytes: u64, journal: u64, rowCount: u64): void {
  chunk = chunkBytes;
  journalBytes = journal;
  rows = rowCount;
}

/** Where the first chunk begins, for a journal of so many bytes. */
export function dataStart(journal: u64): u64 {
  return JOURNAL_START + journal;
}

/** Devices whose chunks of a row are data. */
// @ts-ignore: decorator
@inline
export function dataCount(): i32 {
  return nextCount() - 1;
}

/** Bytes of the disk in one row. */
// @ts-ignore: decorator
@inline
export function rowBytes(): u64 {
  return chunk * dataCount();
}

export function diskBytes(): u64 {
  return rows * rowBytes();
}

/** The device with the parity of a row. */
export function parityOf(row: u64): i32 {
  const count = nextCount();
  return count - 1 - <i32>(row % count);
}

/** The device with the chunk `index` of the data of a row. */
export function deviceOf(row: u64, index: i32): i32 {
  return (parityOf(row) + 1 + index) % nextCount();
}

/** Where the chunk of a row is on each device. */
export function offsetOf(row: u64): u64 {
  return dataStart(journalBytes) + row * chunk;
}
