// SPDX-License-Identifier: MIT
// Disk on which every aligned 8 bytes hold their own offset, big-endian (README.md beside this).

import { answer, verify, verifyZeroes } from "../../lib/generated/assembly";
import { declareImmediate, Info, setSize } from "../../sdk/assemblyscript/assembly";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** One more in the second lowest digit to the base 8 of a number whose bytes are swapped. */
const STEP: u64 = 8 << 56;

export function sb_param_int(index: i32, value: i64): void {
  setSize(value);
}

export function sb_info(handle: i32, out: usize): i32 {
  declareImmediate(changetype<Info>(out));
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return answer(request, 0, count, offset, fill);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return verify(data, count, offset, fill);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return verifyZeroes(count, offset, fill);
}

function fill(pointer: usize, count: usize, offset: u64): void {
  const end = pointer + count;
  while (pointer < end && offset & 7) store<u8>(pointer++, byteAt(offset++));
  while (pointer + 8 <= end) {
    // Only the last of the eight bytes changes before the next multiple of 256.
    const room = <usize>(256 - (offset & 255));
    const stop = pointer + min(room, (end - pointer) & ~<usize>7);
    offset += stop - pointer;
    for (let word = bswap(offset - (stop - pointer)); pointer < stop; pointer += 8) {
      store<u64>(pointer, word);
      word += STEP;
    }
  }
  while (pointer < end) store<u8>(pointer++, byteAt(offset++));
}

function byteAt(offset: u64): u8 {
  return <u8>((offset & ~7) >> (56 - ((offset & 7) << 3)));
}
