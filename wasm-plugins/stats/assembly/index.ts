// SPDX-License-Identifier: MIT
// Counts requests (README.md beside this folder) and forwards them as they are.

import {
  logLine,
  LogLevel,
  metric,
  pass,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Metrics by their position in the manifest. */
const enum Metric {
  Reads = 0,
  Writes = 2,
  Flushes = 4,
  Trims = 5,
  Zeroes = 7,
  Count = 9,
}

const values = memory.data(72);

/** Sizes of reads and writes are counted by powers of two: up to 512 bytes, up to 1K and so on. */
const SIZES: i32 = 24;
const SIZE_FIRST: i32 = 9;
const readSizes = memory.data(192);
const writeSizes = memory.data(192);

/** Counts a request of `count` bytes among those of its size. */
// @ts-ignore: decorator
@inline
function countSize(sizes: usize, count: u64): void {
  const bits = 64 - <i32>clz(count - 1);
  const index = min(max(bits - SIZE_FIRST, 0), SIZES - 1);
  const at = sizes + (<usize>index << 3);
  store<u64>(at, load<u64>(at) + 1);
}

function add(index: i32, value: u64): void {
  const at = values + (<usize>index << 3);
  const sum = load<u64>(at) + value;
  store<u64>(at, sum);
  metric(index, sum);
}

/** Counts a request and its bytes, whose metric is the next one. */
function counted(index: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  add(index, 1);
  add(index + 1, count);
  return pass(request, count, offset, flags);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  countSize(readSizes, count);
  return counted(Metric.Reads, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  countSize(writeSizes, count);
  return counted(Metric.Writes, request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  add(Metric.Flushes, 1);
  return pass(request, 0, 0, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return counted(Metric.Trims, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return counted(Metric.Zeroes, request, count, offset, flags);
}

function sayPair(what: string, index: i32): void {
  say(what);
  sayNumber(load<u64>(values + (<usize>index << 3)));
  say(" of ");
  sayNumber(load<u64>(values + (<usize>index << 3) + 8));
  say(" bytes");
}

export function sb_stop(): void {
  sayPair("reads: ", Metric.Reads);
  sayPair("; writes: ", Metric.Writes);
  sayPair("; trims: ", Metric.Trims);
  sayPair("; zeroes: ", Metric.Zeroes);
  say("; flushes: ");
  sayNumber(load<u64>(values + (<usize>Metric.Flushes << 3)));
  logLine(LogLevel.Info);
  sayHistogram("reads", readSizes);
  sayHistogram("writes", writeSizes);
}

/** How many requests there were of each size, in one line; none where there were none. */
function sayHistogram(what: string, sizes: usize): void {
  let any = false;
  for (let i = 0; i < SIZES; i++) {
    const count = load<u64>(sizes + (<usize>i << 3));
    if (!count) continue;
    if (!any) {
      say(what);
      say(" by size: ");
    } else say(", ");
    any = true;
    sayNumber(count);
    saySize(i);
  }
  if (any) logLine(LogLevel.Info);
}

function saySize(index: i32): void {
  if (index == SIZES - 1) return say(" of more");
  say(" up to ");
  const bits = index + SIZE_FIRST;
  if (bits < 10) sayNumber(1 << bits);
  else sayNumber(1 << (bits % 10));
  if (bits >= 30) say("G");
  else if (bits >= 20) say("M");
  else if (bits >= 10) say("K");
}
