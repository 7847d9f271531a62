// SPDX-License-Identifier: MIT
// Ranges of bytes as parameters name them, START-END with both ends included, and ~START-END for all but
// that: kept in order and joined, so that looking one up is short.

import { alloc, Errno, fail, free, say, sayByte, sayBytes } from "../../../sdk/assemblyscript/assembly";
import { atEnd, peekByte, readText, takeByte, takeSize } from "../../text/assembly";

/** A range is where it begins and where the next byte behind it is. */
const RANGE_BYTES: usize = 16;
/** Behind the last byte that any device has. */
const EVERYWHERE: u64 = <u64>i64.MAX_VALUE;

let table: usize = 0;
let count: i32 = 0;
let capacity: i32 = 0;

function startAt(index: i32): u64 {
  return load<u64>(table + <usize>index * RANGE_BYTES);
}

function endAt(index: i32): u64 {
  return load<u64>(table + <usize>index * RANGE_BYTES + 8);
}

function put(index: i32, start: u64, end: u64): void {
  store<u64>(table + <usize>index * RANGE_BYTES, start);
  store<u64>(table + <usize>index * RANGE_BYTES + 8, end);
}

/** How many ranges there are. */
export function rangeCount(): i32 {
  return count;
}

/** Takes the value of a parameter called `name`. Returns 0 or an errno. */
export function addRange(name: string, pointer: usize, length: usize): i32 {
  readText(pointer, length);
  const others = takeByte(0x7e);
  const start = peekByte() == 0x2d ? 0 : takeSize();
  let good = start >= 0 && takeByte(0x2d);
  const last = good && atEnd() ? <i64>(EVERYWHERE - 1) : takeSize();
  good = good && last >= 0 && atEnd();
  if (!good || last < start) {
    say("cannot parse ");
    say(name);
    say(" \"");
    sayBytes(pointer, min(length, 64));
    sayByte(0x22);
    say(good ? ": it ends before it begins" : ": a range is written START-END, such as 0-511");
    return fail(Errno.EINVAL);
  }
  const end = <u64>last + 1;
  if (!others) return insert(start, end) ? 0 : noMemory();
  if (start > 0 && !insert(0, start)) return noMemory();
  return end >= EVERYWHERE || insert(end, EVERYWHERE) ? 0 : noMemory();
}

function noMemory(): i32 {
  say("there is no memory for so many ranges");
  return fail(Errno.ENOMEM);
}

/** Adds [start, end) and joins it with those that it touches. */
function insert(start: u64, end: u64): bool {
  if (count == capacity && !grow()) return false;
  let first = 0;
  while (first < count && endAt(first) < start) first++;
  let after = first;
  for (; after < count && startAt(after) <= end; after++) {
    start = min(start, startAt(after));
    end = max(end, endAt(after));
  }
  const from = table + <usize>after * RANGE_BYTES;
  memory.copy(table + <usize>(first + 1) * RANGE_BYTES, from, <usize>(count - after) * RANGE_BYTES);
  put(first, start, end);
  count += 1 - (after - first);
  return true;
}

function grow(): bool {
  const larger = capacity ? capacity << 1 : 16;
  const next = alloc(<usize>larger * RANGE_BYTES, 16);
  if (!next) return false;
  if (capacity) {
    memory.copy(next, table, <usize>count * RANGE_BYTES);
    free(table, <usize>capacity * RANGE_BYTES);
  }
  table = next;
  capacity = larger;
  return true;
}

/** Whether the last `runAt` was about a place inside of a range. */
export let runInside: bool = false;

/** Where what is true of `at`, being in a range or not, ends to be true; at most `end`. */
export function runAt(at: u64, end: u64): u64 {
  runInside = false;
  for (let index = 0; index < count; index++) {
    if (at >= endAt(index)) continue;
    if (at < startAt(index)) return min(startAt(index), end);
    runInside = true;
    return min(endAt(index), end);
  }
  return end;
}

/** Whether any of [start, end) lies in a range. */
export function touches(start: u64, end: u64): bool {
  const first = runAt(start, end);
  return runInside || first < end;
}

/** Whether all ranges begin and end at multiples of `block`, or behind `size`. */
export function areAligned(block: u64, size: u64): bool {
  for (let index = 0; index < count; index++) {
    if (startAt(index) < size && startAt(index) % block) return false;
    if (endAt(index) < size && endAt(index) % block) return false;
  }
  return true;
}
