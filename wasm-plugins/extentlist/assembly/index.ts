// SPDX-License-Identifier: MIT
// Says from a list what is allocated (README.md beside this folder). All other requests go past it.

import {
  alloc,
  CallFlag,
  Errno,
  extent,
  ExtentFlag,
  fail,
  free,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";
import { atEnd, peekByte, readText, takeByte, takeSize, takeWord } from "../../lib/text/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** An entry: where it begins, where it ends, its flags, and its line. */
const ENTRY_BYTES: usize = 32;
/** Extents that one answer has at most. */
const ANSWER_MAX: i32 = 4096;

let table: usize = 0;
let count: i32 = 0;
let capacity: i32 = 0;
let status: i32 = 0;

function startAt(index: i32): u64 {
  return load<u64>(table + <usize>index * ENTRY_BYTES);
}

function endAt(index: i32): u64 {
  return load<u64>(table + <usize>index * ENTRY_BYTES + 8);
}

function flagsAt(index: i32): i32 {
  return load<i32>(table + <usize>index * ENTRY_BYTES + 16);
}

function lineAt(index: i32): u64 {
  return load<u64>(table + <usize>index * ENTRY_BYTES + 24);
}

/** The content of the file. */
export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  const end = pointer + length;
  let line: u64 = 1;
  for (let at = pointer; at < end && !status; line++) {
    let stop = at;
    while (stop < end && load<u8>(stop) != 0x0a) stop++;
    readLine(at, stop - at, line);
    at = stop + 1;
  }
  if (!status) checkOrder();
}

function skipSpace(): bool {
  const had = peekByte() == 0x20 || peekByte() == 0x09 || peekByte() == 0x0d;
  while (takeByte(0x20) || takeByte(0x09) || takeByte(0x0d)) { /* All of it. */ }
  return had;
}

function refuse(line: u64, fact: string): void {
  say("cannot use line ");
  sayNumber(line);
  say(" of the list of extents: ");
  say(fact);
  status = fail(Errno.EINVAL);
}

function readLine(pointer: usize, length: usize, line: u64): void {
  readText(pointer, length);
  skipSpace();
  if (atEnd() || peekByte() == 0x23) return;
  const offset = takeSize();
  const gap = skipSpace();
  const bytes = takeSize();
  if (offset < 0 || !gap || bytes < 0) {
    return refuse(line, "it must be an offset, a length and perhaps a type, such as \"1M 9M hole,zero\"");
  }
  if (!bytes) return refuse(line, "its length is 0");
  if (bytes > i64.MAX_VALUE - offset) return refuse(line, "it ends beyond what a device can have");
  const flags = skipSpace() && !atEnd() && peekByte() != 0x23 ? readType() : 0;
  skipSpace();
  if (flags < 0 || (!atEnd() && peekByte() != 0x23)) {
    return refuse(line, "its type must be hole, zero, hole,zero or a number from 0 to 3");
  }
  if (count == capacity && !grow()) {
    status = Errno.ENOMEM;
    return;
  }
  const at = table + <usize>count * ENTRY_BYTES;
  count++;
  store<u64>(at, offset);
  store<u64>(at + 8, offset + bytes);
  store<u64>(at + 16, flags);
  store<u64>(at + 24, line);
}

/** A number, or words; -1 for anything else. */
function readType(): i32 {
  const digit = peekByte();
  if (digit >= 0x30 && digit <= 0x33) {
    takeByte(digit);
    return digit - 0x30;
  }
  let flags = 0;
  do {
    if (takeWord("hole")) flags |= ExtentFlag.Hole;
    else if (takeWord("zero")) flags |= ExtentFlag.Zero;
    else return -1;
  } while (takeByte(0x2c));
  return flags;
}

function grow(): bool {
  const larger = capacity ? capacity << 1 : 256;
  const next = alloc(<usize>larger * ENTRY_BYTES, 16);
  if (!next) return false;
  if (capacity) {
    memory.copy(next, table, <usize>count * ENTRY_BYTES);
    free(table, <usize>capacity * ENTRY_BYTES);
  }
  table = next;
  capacity = larger;
  return true;
}

const spare = memory.data(32, 8);

function swap(a: i32, b: i32): void {
  const one = table + <usize>a * ENTRY_BYTES;
  const two = table + <usize>b * ENTRY_BYTES;
  memory.copy(spare, one, ENTRY_BYTES);
  memory.copy(one, two, ENTRY_BYTES);
  memory.copy(two, spare, ENTRY_BYTES);
}

/** Lets the entry at `root` sink to its place in a heap of `size`. */
function sink(root: i32, size: i32): void {
  for (;;) {
    let child = 2 * root + 1;
    if (child >= size) return;
    if (child + 1 < size && startAt(child + 1) > startAt(child)) child++;
    if (startAt(root) >= startAt(child)) return;
    swap(root, child);
    root = child;
  }
}

/** Sorts the entries (heap sort) and looks for overlaps. */
function checkOrder(): void {
  for (let root = (count >> 1) - 1; root >= 0; root--) sink(root, count);
  for (let size = count - 1; size > 0; size--) {
    swap(0, size);
    sink(0, size);
  }
  for (let index = 1; index < count; index++) {
    if (startAt(index) >= endAt(index - 1)) continue;
    say("cannot use the list of extents: lines ");
    sayNumber(min(lineAt(index), lineAt(index - 1)));
    say(" and ");
    sayNumber(max(lineAt(index), lineAt(index - 1)));
    say(" overlap");
    status = fail(Errno.EINVAL);
    return;
  }
}

export function sb_ready(): i32 {
  return status;
}

/** The first entry that ends behind `offset`. */
function find(offset: u64): i32 {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endAt(middle) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What no entry is about is a hole. */
export function sb_extents(handle: i32, request: i32, length: u64, offset: u64, flags: i32): i32 {
  const end = offset + length;
  const most = flags & CallFlag.ReqOne ? 1 : ANSWER_MAX;
  let index = find(offset);
  let at = offset;
  for (let told = 0; told < most && at < end; told++) {
    const inside = index < count && startAt(index) <= at;
    const stop = inside ? endAt(index) : index < count ? min(startAt(index), end) : end;
    extent(request, stop - at, inside ? flagsAt(index) : ExtentFlag.HoleZero);
    if (inside) index++;
    at = stop;
  }
  return 0;
}
