// SPDX-License-Identifier: MIT
// Part of a device (README.md beside this folder): every request goes on with another offset.

import { Errno, fail, nextSize, pass, say, sayNumber } from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

let start: i64 = 0;
/** Size of the part; -1: up to the end. */
let range: i64 = -1;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) start = value;
  else range = value;
}

export function sb_size(handle: i32): i64 {
  const size = nextSize(handle, 0);
  if (start > size) {
    say("cannot skip ");
    sayNumber(start);
    say(" bytes: the device has ");
    sayNumber(size);
    return -fail(Errno.EINVAL);
  }
  if (range < 0) return size - start;
  if (range <= size - start) return range;
  say("cannot serve ");
  sayNumber(range);
  say(" bytes from ");
  sayNumber(start);
  say(": the device has ");
  sayNumber(size);
  return -fail(Errno.EINVAL);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + start, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + start, flags);
}
