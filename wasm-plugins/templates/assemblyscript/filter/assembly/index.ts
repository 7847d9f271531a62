// A filter that keeps everything in disguise: sandblock serve --filter ./@name@.wasm memory 64M key=7

import {
  alloc,
  begin,
  complete,
  end,
  Errno,
  failWith,
  free,
  nextForward,
  nextPread,
  nextPwrite,
  pass,
  PENDING,
  replyBuffer,
  Task,
  taskOf,
  token,
} from "./sandblock";
export { sb_alloc, sb_done, sb_free } from "./sandblock";

/** A read or write on its way: where its bytes are in the memory of the filter. */
@unmanaged
class Work extends Task {
  request: i32;
  data: usize;
  count: usize;
}

let key: u8 = 0;

export function sb_param_int(index: i32, value: i64): void {
  key = <u8>value;
}

function disguise(from: usize, to: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) store<u8>(to + i, load<u8>(from + i) ^ key);
}

/** Calls `then` when the request is done, with what the reader or writer of it has to know. */
function work(request: i32, data: usize, count: u64, then: (token: i32, result: i32) => void): Work | null {
  const one = data ? begin<Work>(then) : null;
  if (!one) return null;
  one.request = request;
  one.data = data;
  one.count = <usize>count;
  return one;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(request, replyBuffer(request, 0, count), count, haveRead);
  if (!one) return failWith(Errno.ENOMEM, "cannot read: no memory");
  const status = nextPread(handle, 0, one.data, count, offset, flags, token(one));
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
  const one = work(request, alloc(<usize>count, 16), count, haveWritten);
  if (!one) return failWith(Errno.ENOMEM, "cannot write: no memory");
  disguise(data, one.data, one.count);
  const status = nextPwrite(handle, 0, one.data, count, offset, flags, token(one));
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
  return pass(request, count, offset, flags);
}
