// SPDX-License-Identifier: MIT
// A disk spread over devices chunk by chunk (README.md beside this folder): chunk g lies on device g mod n,
// in row g / n. Data goes chunk by chunk; what a range command touches on one device is one range there.

import {
  CallFlag,
  Errno,
  fail,
  failWith,
  Info,
  nextCount,
  nextForward,
  nextSize,
  PENDING,
  say,
  sayNumber,
  Support,
} from "../../sdk/assemblyscript/assembly";
import { chunk, lengthOn, setLayout, startOn } from "./layout";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";
export { sb_extents } from "./extents";

/** Pieces that a read or write is cut into at most; the host takes 4096. */
const PIECES_MAX: u64 = 2048;

let chunkBytes: u64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  chunkBytes = value;
}

export function sb_ready(): i32 {
  if (setLayout(chunkBytes, nextCount())) return 0;
  say("cannot spread the disk in chunks of ");
  sayNumber(chunkBytes);
  say(" bytes: that is no power of two");
  return fail(Errno.EINVAL);
}

/** As many whole chunks of each device as the smallest one has. */
export function sb_size(handle: i32): i64 {
  let least: u64 = u64.MAX_VALUE;
  for (let child = 0; child < nextCount(); child++) {
    least = min(least, <u64>nextSize(handle, child));
  }
  const size = least & ~(chunk - 1);
  if (!size) {
    say("cannot spread the disk: a device of ");
    sayNumber(least);
    say(" bytes has no room for a chunk of ");
    sayNumber(chunk);
    return -fail(Errno.EINVAL);
  }
  if (size <= <u64>i64.MAX_VALUE / nextCount()) return size * nextCount();
  return -failWith(Errno.EFBIG, "cannot spread the disk: it would be larger than 2^63-1 bytes");
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  if (<u64>info.blockMinimum > chunk) {
    say("cannot spread the disk in chunks of ");
    sayNumber(chunk);
    say(" bytes: a device has blocks of ");
    sayNumber(info.blockMinimum);
    return fail(Errno.EINVAL);
  }
  const most = chunk * PIECES_MAX;
  if (<u64>info.blockMaximum > most) info.blockMaximum = <u32>most;
  if (<u64>info.blockPreferred > most) info.blockPreferred = <u32>most;
  // It must not change anything where it fails, and one device cannot know of the others.
  info.fastZero = Support.None;
  return 0;
}

/** Forwards data chunk by chunk. */
function spread(request: i32, count: u64, offset: u64, flags: i32): i32 {
  const children = <u64>nextCount();
  let index = offset / chunk;
  let row = index / children;
  let child = <i32>(index % children);
  let within = offset & (chunk - 1);
  let result = 0;
  for (let at: u64 = 0; at < count;) {
    const length = min(chunk - within, count - at);
    const status = nextForward(request, child, at, length, row * chunk + within, flags, 0);
    if (status == PENDING) result = PENDING;
    else if (status) return status;
    at += length;
    within = 0;
    if (++child == <i32>children) {
      child = 0;
      row++;
    }
  }
  return result;
}

/** Forwards a range command: one range for each device. */
function spreadRange(request: i32, count: u64, offset: u64, flags: i32): i32 {
  let result = 0;
  for (let child = 0; child < nextCount(); child++) {
    const length = lengthOn(child, offset, count);
    if (!length) continue;
    const status = nextForward(request, child, 0, length, startOn(child, offset), flags, 0);
    if (status == PENDING) result = PENDING;
    else if (status) return status;
  }
  return result;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spread(request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return spread(request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  let result = 0;
  for (let child = 0; child < nextCount(); child++) {
    const status = nextForward(request, child, 0, 0, 0, flags, 0);
    if (status == PENDING) result = PENDING;
    else if (status) return status;
  }
  return result;
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spreadRange(request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spreadRange(request, count, offset, flags & ~CallFlag.FastZero);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spreadRange(request, count, offset, flags);
}
