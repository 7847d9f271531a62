// SPDX-License-Identifier: MIT
// A filter for tests that makes all requests anew and uses every part of the SDK for filters while at it.

import {
  add,
  alloc,
  arrived,
  begin,
  cancel,
  closeHandle,
  complete,
  end,
  Errno,
  extent,
  ExtentList,
  fail,
  failWith,
  free,
  hasFeature,
  Info,
  infoOf,
  Join,
  metric,
  nextCache,
  nextClose,
  nextCount,
  nextExtents,
  nextFlush,
  nextOpen,
  nextPread,
  nextPwrite,
  nextSize,
  nextTrim,
  nextZero,
  openHandle,
  PENDING,
  replyBuffer,
  resize,
  say,
  sayBytes,
  then,
  timer,
  token,
} from "../../assembly";

export { sb_alloc, sb_done, sb_free } from "../../assembly";

/** A request on its way. */
@unmanaged
class Work extends Join {
  handle: i32;
  request: i32;
  data: usize;
  count: u64;
  offset: u64;
}

let delay: u64 = 0;
let shrink: i64 = 0;
let refused: usize = 0;
let refusedLength: usize = 0;
/** A handle of its own that reads go through; -1: not open. */
let background: i32 = -1;
let requests: i64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) delay = value;
  else shrink = value;
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  refused = alloc(length, 1);
  refusedLength = length;
  memory.copy(refused, pointer, length);
}

export function sb_ready(): i32 {
  if (!hasFeature("next") || hasFeature("telepathy")) return failWith(Errno.EINVAL, "features are wrong");
  return nextCount() == 1 ? 0 : failWith(Errno.EINVAL, "children are wrong");
}

export function sb_connect(peer: usize, length: usize): i32 {
  if (!refused || length != refusedLength || memory.compare(peer, refused, length)) return 0;
  say("cannot admit ");
  sayBytes(peer, length);
  return fail(Errno.EACCES);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (background < 0) background = nextOpen(name, nameLength, 1);
  return background < 0 ? background : openHandle(0);
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
  if (background >= 0) nextClose(background);
  background = -1;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.blockPreferred = infoOf(handle, 0).blockPreferred << 1;
  return 0;
}

function work(handle: i32, request: i32, count: u64, offset: u64): Work | null {
  const one = begin<Work>(ended);
  if (!one) return null;
  one.handle = handle;
  one.request = request;
  one.count = count;
  one.offset = offset;
  requests++;
  metric(0, requests);
  return one;
}

/** All requests of the work are made: is it done already? */
function made(one: Work): i32 {
  return one.left ? PENDING : finish(one);
}

function ended(token: i32, result: i32): void {
  const one = changetype<Work>(<usize>token);
  if (!arrived(one, result)) return;
  const request = one.request;
  complete(request, finish(one));
}

function finish(one: Work): i32 {
  const errno = one.errno;
  if (one.data) free(one.data, <usize>one.count);
  end(one);
  return errno;
}

/** Reads in two halves, through the handle of its own. */
export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const data = replyBuffer(request, 0, count);
  const one = data ? work(handle, request, 0, offset) : null;
  if (!one) return Errno.ENOMEM;
  const half = count >> 1;
  if (half) add(one, nextPread(background, 0, data, half, offset, flags, token(one)));
  const rest = data + <usize>half;
  add(one, nextPread(background, 0, rest, count - half, offset + half, flags, token(one)));
  return made(one);
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
  const one = copy ? work(handle, request, count, offset) : null;
  if (!one) return Errno.ENOMEM;
  memory.copy(copy, data, <usize>count);
  one.data = copy;
  add(one, nextPwrite(handle, 0, copy, count, offset, flags, token(one)));
  return made(one);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(handle, request, 0, offset);
  if (!one) return Errno.ENOMEM;
  add(one, nextTrim(handle, 0, count, offset, flags, token(one)));
  return made(one);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(handle, request, 0, offset);
  if (!one) return Errno.ENOMEM;
  add(one, nextZero(handle, 0, count, offset, flags, token(one)));
  return made(one);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(handle, request, 0, offset);
  if (!one) return Errno.ENOMEM;
  add(one, nextCache(handle, 0, count, offset, flags, token(one)));
  return made(one);
}

/** Waits, then flushes, then takes something off the end. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  const one = work(handle, request, 0, 0);
  if (!one) return Errno.ENOMEM;
  then(one, waited);
  // A timer that is taken back does not fire.
  timer(0, token(one));
  if (!cancel(token(one)) || cancel(token(one))) return failWith(Errno.EINVAL, "cancel is wrong");
  return timer(delay, token(one)) ? <i32>Errno.EAGAIN : PENDING;
}

function waited(token: i32, result: i32): void {
  const one = changetype<Work>(<usize>token);
  then(one, flushed);
  const status = nextFlush(one.handle, 0, 0, token);
  if (status != PENDING) flushed(token, status);
}

function flushed(token: i32, result: i32): void {
  const one = changetype<Work>(<usize>token);
  const size = nextSize(one.handle, 0) - shrink;
  one.errno = result ? result : resize(one.handle, size);
  const request = one.request;
  complete(request, finish(one));
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = work(handle, request, count, offset);
  if (!one) return Errno.ENOMEM;
  const list = ExtentList.create(8);
  if (!list) return Errno.ENOMEM;
  then(one, haveExtents);
  one.handle = <i32>changetype<usize>(list);
  const status = nextExtents(handle, 0, changetype<usize>(list), count, offset, flags, token(one));
  return status == PENDING ? PENDING : answerExtents(one, status);
}

function haveExtents(token: i32, result: i32): void {
  const one = changetype<Work>(<usize>token);
  const request = one.request;
  complete(request, answerExtents(one, result));
}

function answerExtents(one: Work, result: i32): i32 {
  const list = changetype<ExtentList>(<usize>one.handle);
  if (!result) {
    for (let i: u32 = 0; i < list.count; i++) extent(one.request, list.lengthAt(i), list.flagsAt(i));
  }
  list.drop();
  end(one);
  return result;
}
