// SPDX-License-Identifier: MIT
// Makes requests wait (README.md beside this folder): each gets a timer, and is forwarded when that
// fires. The number of the timer is where the request is remembered.

import {
  alloc,
  complete,
  Errno,
  failWith,
  free,
  nextForward,
  PENDING,
  timer,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** A request that waits. */
@unmanaged
class Waiting {
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
}

let readDelay: u64 = 0;
let writeDelay: u64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) readDelay = value;
  else writeDelay = value;
}

function later(delay: u64, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (!delay) return nextForward(request, 0, 0, count, offset, flags, 0);
  const pointer = alloc(offsetof<Waiting>(), 8);
  if (!pointer) return failWith(Errno.ENOMEM, "cannot delay the request: no memory");
  const waiting = changetype<Waiting>(pointer);
  waiting.request = request;
  waiting.flags = flags;
  waiting.count = count;
  waiting.offset = offset;
  if (!timer(delay, <i32>pointer)) return PENDING;
  free(pointer, offsetof<Waiting>());
  return failWith(Errno.EAGAIN, "cannot delay the request: too many are waiting");
}

export function sb_done(token: i32, result: i32): void {
  const waiting = changetype<Waiting>(<usize>token);
  const request = waiting.request;
  const count = waiting.count;
  const offset = waiting.offset;
  const flags = waiting.flags;
  free(<usize>token, offsetof<Waiting>());
  const status = nextForward(request, 0, 0, count, offset, flags, 0);
  if (status != PENDING) complete(request, status);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return later(readDelay, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return later(writeDelay, request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return later(writeDelay, request, 0, 0, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return later(writeDelay, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return later(writeDelay, request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return later(readDelay, request, count, offset, flags);
}
