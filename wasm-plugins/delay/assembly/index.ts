// SPDX-License-Identifier: MIT
// Makes requests wait (README.md beside this folder): each gets a timer, and is forwarded when that
// fires.

import {
  begin,
  complete,
  end,
  Errno,
  failWith,
  pass,
  PENDING,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** A request that waits. */
@unmanaged
class Waiting extends Task {
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
}

let readDelay: u64 = 0;
let writeDelay: u64 = 0;

let jitter: u64 = 0;
let state: u64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) readDelay = value;
  else if (index == 1) writeDelay = value;
  else if (index == 2) jitter = value;
  else state = value;
}

/** The next of a row of random numbers (splitmix64). */
function random(): u64 {
  state += 0x9e3779b97f4a7c15;
  let mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

function later(delay: u64, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (!delay) return pass(request, count, offset, flags);
  const waiting = begin<Waiting>(goOn);
  if (!waiting) return failWith(Errno.ENOMEM, "cannot delay the request: no memory");
  waiting.request = request;
  waiting.flags = flags;
  waiting.count = count;
  waiting.offset = offset;
  const more: u64 = jitter ? random() % (jitter + 1) : 0;
  if (!timer(delay + more, token(waiting))) return PENDING;
  end(waiting);
  return failWith(Errno.EAGAIN, "cannot delay the request: too many are waiting");
}

function goOn(token: i32, result: i32): void {
  const waiting = taskOf<Waiting>(token);
  const request = waiting.request;
  const status = pass(request, waiting.count, waiting.offset, waiting.flags);
  end(waiting);
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
