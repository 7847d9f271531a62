// SPDX-License-Identifier: MIT
// Makes a device smaller or larger (README.md beside this folder). What is behind the end of the device
// reads as zeroes, and nothing but zeroes can be written there.

import {
  alloc,
  closeHandle,
  contextOf,
  Errno,
  extent,
  ExtentFlag,
  fail,
  failWith,
  free,
  infoOf,
  nextSize,
  openHandle,
  pass,
  payload,
  replyZero,
  say,
  sayNumber,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Parameters by their position in the manifest; -1: not given. */
let size: i64 = -1;
let up: i64 = -1;
let down: i64 = -1;
/** Where a part of what is written is looked at. */
const WINDOW: usize = 16384;
const window = memory.data(16384, 8);

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) size = value;
  else if (index == 1) up = value;
  else down = value;
}

/** Keeps the size of the device below, which every request needs. */
export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const pointer = alloc(8, 8);
  const handle = pointer ? openHandle(<u32>pointer) : -1;
  return handle < 0 ? -Errno.ENOMEM : handle;
}

export function sb_close(handle: i32): void {
  free(<usize>contextOf(handle), 8);
  closeHandle(handle);
}

export function sb_size(handle: i32): i64 {
  store<u64>(<usize>contextOf(handle), nextSize(handle, 0));
  let bytes = size < 0 ? nextSize(handle, 0) : size;
  if (up > 0 && bytes % up) {
    const more = up - bytes % up;
    if (bytes > i64.MAX_VALUE - more) {
      return -failWith(Errno.EFBIG, "cannot round the size up: it has at most 63 bits");
    }
    bytes += more;
  }
  if (down > 0) bytes -= bytes % down;
  const block = infoOf(handle, 0).blockMinimum;
  if (bytes < nextSize(handle, 0) && bytes % block) {
    say("cannot cut the device off at ");
    sayNumber(bytes);
    say(": it is made of blocks of ");
    sayNumber(block);
    return -fail(Errno.EINVAL);
  }
  return bytes;
}

/** How many of `count` bytes at `offset` the device below has. */
function below(handle: i32, count: u64, offset: u64): u64 {
  const end = load<u64>(<usize>contextOf(handle));
  return offset >= end ? 0 : min(count, end - offset);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const inside = below(handle, count, offset);
  const status = inside ? pass(request, inside, offset, flags) : 0;
  if (inside < count) replyZero(request, inside, count - inside, ZeroFlag.Hole);
  return status;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const inside = below(handle, count, offset);
  for (let at = inside; at < count; at += WINDOW) {
    const errno = checkZero(request, at, <usize>min<u64>(WINDOW, count - at));
    if (errno) return errno;
  }
  return inside ? pass(request, inside, offset, flags) : 0;
}

/** 0 where that part of what is written is zero. */
function checkZero(request: i32, at: u64, length: usize): i32 {
  const errno = payload(request, at, window, length);
  if (errno) return errno;
  let bits: u64 = 0;
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) bits |= load<u64>(window + i);
  for (; i < length; i++) bits |= load<u8>(window + i);
  if (!bits) return 0;
  return failWith(Errno.ENOSPC, "cannot write behind the end of the device: only zeroes are there");
}

/** Requests without data: what is behind the end is zero, and nowhere. */
function inside(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const length = below(handle, count, offset);
  return length ? pass(request, length, offset, flags) : 0;
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return inside(handle, request, count, offset, flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return inside(handle, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return inside(handle, request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return inside(handle, request, count, offset, flags);
}

/** An answer about the beginning is enough. */
export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const length = below(handle, count, offset);
  if (!length) {
    extent(request, count, ExtentFlag.HoleZero);
    return 0;
  }
  return pass(request, length, offset, flags);
}
