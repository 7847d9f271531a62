// SPDX-License-Identifier: MIT
// A filter that does what filters do, correctly: it leaves out the first block of what is below it, keeps
// the rest in disguise, and waits for what is below. The tests put faults into it.

import {
  alloc,
  begin,
  complete,
  end,
  Errno,
  failWith,
  free,
  nextFlush,
  nextForward,
  nextPread,
  nextPwrite,
  nextSize,
  PENDING,
  replyBuffer,
  Task,
  taskOf,
  token,
} from "../../../../wasm-plugins/sdk/assemblyscript/assembly";
export { sb_alloc, sb_done, sb_free } from "../../../../wasm-plugins/sdk/assemblyscript/assembly";

const SKIPPED: i64 = 4096;

let key: u8 = 0;

export function sb_param_int(index: i32, value: i64): void {
  key = <u8>value;
}

export function sb_size(handle: i32): i64 {
  const size = nextSize(handle, 0);
  return size < SKIPPED ? -failWith(Errno.EINVAL, "cannot skip a block: there is none") : size - SKIPPED;
}

function disguise(to: usize, from: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) store<u8>(to + i, load<u8>(from + i) ^ key);
}

@unmanaged
class Work extends Task {
  request: i32;
  data: usize;
  count: usize;
}

function work(request: i32, data: usize, count: u64, next: (token: i32, result: i32) => void): Work | null {
  const one = data ? begin<Work>(next) : null;
  if (!one) return null;
  one.request = request;
  one.data = data;
  one.count = <usize>count;
  return one;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(request, replyBuffer(request, 0, count), count, haveRead);
  if (!one) return failWith(Errno.ENOMEM, "cannot read: no memory");
  const status = nextPread(handle, 0, one.data, count, offset + SKIPPED, 0, token(one));
  return status == PENDING ? PENDING : read(one, status);
}

function haveRead(token: i32, result: i32): void {
  const request = taskOf<Work>(token).request;
  complete(request, read(taskOf<Work>(token), result));
}

function read(one: Work, result: i32): i32 {
  if (!result) disguise(one.data, one.data, one.count);
  end(one);
  return result;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const copy = alloc(<usize>count, 16);
  const one = work(request, copy, count, haveWritten);
  if (!one) {
    if (copy) free(copy, <usize>count);
    return failWith(Errno.ENOMEM, "cannot write: no memory");
  }
  disguise(one.data, data, one.count);
  const status = nextPwrite(handle, 0, one.data, count, offset + SKIPPED, 0, token(one));
  return status == PENDING ? PENDING : written(one, status);
}

function haveWritten(token: i32, result: i32): void {
  const request = taskOf<Work>(token).request;
  complete(request, written(taskOf<Work>(token), result));
}

function written(one: Work, result: i32): i32 {
  free(one.data, one.count);
  end(one);
  return result;
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return nextForward(request, 0, 0, 0, 0, flags, 0);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return nextForward(request, 0, 0, count, offset + SKIPPED, flags, 0);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return nextForward(request, 0, 0, count, offset + SKIPPED, flags, 0);
}
