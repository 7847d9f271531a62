// SPDX-License-Identifier: MIT
// Swaps the bytes of words (README.md beside this folder). Zeroes are the same both ways.

import { Info, nextSize, pass } from "../../sdk/assemblyscript/assembly";
import { declareTransform, setTransform } from "../../lib/transform/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";
export { sb_pread, sb_pwrite } from "../../lib/transform/assembly";

/** Bytes of a word. */
let word: usize = 2;

export function sb_param_int(index: i32, value: i64): void {
  word = 1 << <usize>value;
}

export function sb_ready(): i32 {
  setTransform(swap, swap);
  return 0;
}

/** A part of a word at the end cannot be used. */
export function sb_size(handle: i32): i64 {
  return nextSize(handle, 0) & ~(<i64>word - 1);
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  declareTransform(info, handle);
  info.blockMinimum = max(info.blockMinimum, <u32>word);
  return 0;
}

function swap(data: usize, count: usize, offset: u64): void {
  const end = data + count;
  if (word == 2) swap2(data, end);
  else if (word == 4) swap4(data, end);
  else if (word == 8) for (; data < end; data += 8) store<u64>(data, bswap<u64>(load<u64>(data)));
}

/** Eight bytes at a time, then what is left. */
function swap2(data: usize, end: usize): void {
  const mask: u64 = 0x00ff00ff00ff00ff;
  for (; data + 8 <= end; data += 8) {
    const value = load<u64>(data);
    store<u64>(data, (value & mask) << 8 | value >> 8 & mask);
  }
  for (; data < end; data += 2) store<u16>(data, bswap<u16>(load<u16>(data)));
}

function swap4(data: usize, end: usize): void {
  for (; data < end; data += 4) store<u32>(data, bswap<u32>(load<u32>(data)));
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset, flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset, flags);
}
