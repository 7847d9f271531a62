// SPDX-License-Identifier: MIT
// Where the data is. The disk is cut into cells of equal length, and each cell has one run of data
// of random length at a random place in it. So any offset can be looked up at once, and the share
// of data and the average length of a run come out as asked for.

import { randomAt, scramble } from "../../lib/generated/assembly/random";

/** What makes these random numbers others than those of the contents. */
const PURPOSE: u64 = 0x6c61_796f_7574;
/** Parts per million in a whole. */
const MILLION: u64 = 1_000_000;

let key: u64 = 0;
/** Blocks are 2^this bytes; everything below is counted in blocks. */
let blockShift: u64 = 0;
/** Length of a cell; 0: there is no data at all. */
let cell: u64 = 0;
/** Average length of a run: a whole part, and the rest in parts per million. */
let average: u64 = 0;
let averageRest: u64 = 0;
/** How much longer or shorter than the average a run may be. */
let deviation: u64 = 0;

/** The cell of the block that `hasData` was last asked about, and the run in it. */
let runStart: u64 = 0;
let runStop: u64 = 0;
let cellStop: u64 = 0;

/** What `scan` found: whether there is data, and the offset where it is no longer like that. */
export let runIsData = false;
export let runEnd: u64 = 0;

/**
 * `share` is the part of the disk that is data, in parts per million. It is kept to even where the
 * runs cannot be so short: one block of data to half a block of hole becomes longer runs.
 */
export function layOut(seed: u64, share: u64, runLength: u64, blockSize: u64): void {
  key = scramble(seed ^ PURPOSE);
  blockShift = ctz(blockSize);
  // At most 2^31 blocks (1 TiB, 512 bytes) times a million, so nothing overflows.
  cell = share ? ((runLength >> blockShift) * MILLION + share / 2) / share : 0;
  average = cell * share / MILLION;
  averageRest = cell * share % MILLION;
  const shorter = max(average, 1) - 1;
  const longer = cell - average - u64(averageRest != 0);
  deviation = min(shorter, longer);
}

/** Looks what is at `offset` and how far it goes on like that, at most to `end`. */
export function scan(offset: u64, end: u64): void {
  runIsData = average == cell && cell != 0;
  runEnd = end;
  // All or nothing: there are no ends of runs to look for.
  if (average == cell) return;
  let block = offset >> blockShift;
  runIsData = hasData(block);
  do {
    block = block < runStart ? runStart : block < runStop ? runStop : cellStop;
  } while (block << blockShift < end && hasData(block) == runIsData);
  runEnd = min(block << blockShift, end);
}

/** Whether `block` is data. */
function hasData(block: u64): bool {
  const number = block / cell;
  const start = number * cell;
  let length = average - deviation + randomAt(key, number * 3) % (2 * deviation + 1);
  if (randomAt(key, number * 3 + 1) % MILLION < averageRest) length++;
  runStart = start + randomAt(key, number * 3 + 2) % (cell - length + 1);
  runStop = runStart + length;
  cellStop = start + cell;
  return block >= runStart && block < runStop;
}
