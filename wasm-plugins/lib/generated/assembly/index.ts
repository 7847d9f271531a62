// SPDX-License-Identifier: MIT
// Disks whose contents are computed. They cannot be changed: writing is allowed where it writes
// what is there already, so that one disk can be source and target of a copy and check it.

import {
  Errno,
  fail,
  failWith,
  replyBuffer,
  say,
  sayNumber,
} from "../../../sdk/assemblyscript/assembly";

/** Puts `count` bytes of the disk from `offset` on at `pointer`. */
export type Fill = (pointer: usize, count: usize, offset: u64) => void;

/** Bytes that are compared at a time. */
const SCRATCH_BYTES: u32 = 4096;
const scratch = memory.data(4096);

/** Answers `count` bytes of a read, `at` bytes after its start, with what lies at `offset`. */
export function answer(request: i32, at: u64, count: u64, offset: u64, fill: Fill): i32 {
  const pointer = replyBuffer(request, at, count);
  if (!pointer) return failWith(Errno.ENOMEM, "cannot read: no memory for the answer");
  fill(pointer, <usize>count, offset);
  return 0;
}

/** Compares a payload with what lies at `offset`: 0, or EIO where they differ. */
export function verify(data: usize, count: u64, offset: u64, fill: Fill): i32 {
  while (count) {
    const length = <u32>min(count, <u64>SCRATCH_BYTES);
    fill(scratch, length, offset);
    const same = sameBytes(scratch, data, length);
    if (same < length) return refuse(offset + same);
    data += length;
    offset += length;
    count -= length;
  }
  return 0;
}

/** Like `verify` for a payload of zeroes. */
export function verifyZeroes(count: u64, offset: u64, fill: Fill): i32 {
  while (count) {
    const length = <u32>min(count, <u64>SCRATCH_BYTES);
    fill(scratch, length, offset);
    for (let i: u32 = 0; i < length; i++) {
      if (load<u8>(scratch + i)) return refuse(offset + i);
    }
    offset += length;
    count -= length;
  }
  return 0;
}

/** How many bytes at the start of both are the same. */
function sameBytes(one: usize, other: usize, length: u32): u32 {
  let i: u32 = 0;
  while (i + 8 <= length && load<u64>(one + i) == load<u64>(other + i)) i += 8;
  while (i < length && load<u8>(one + i) == load<u8>(other + i)) i++;
  return i;
}

function refuse(offset: u64): i32 {
  say("cannot write byte ");
  sayNumber(offset);
  say(": it differs from what the disk holds, which cannot be changed");
  return fail(Errno.EIO);
}
