// SPDX-License-Identifier: MIT
// Compares what is written with what is there (README.md beside this folder), and writes nothing. Where
// zeroes are to be there, what is known to be zero is not read.

import {
  alloc,
  begin,
  complete,
  end,
  Errno,
  ExtentFlag,
  ExtentList,
  fail,
  failWith,
  free,
  Info,
  nextExtents,
  nextPread,
  pass,
  PENDING,
  say,
  sayNumber,
  Support,
  Task,
  taskOf,
  then,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** So much is compared at a time. */
const STEP: u64 = 131072;
/** The list of extents lies behind what is read. */
const LIST_EXTENTS: u32 = 16;
const LIST_BYTES: usize = 8 + 16 * 16;
const BUFFER_BYTES: usize = <usize>STEP + LIST_BYTES;

/** A request that is being compared. */
@unmanaged
class Work extends Task {
  request: i32;
  handle: i32;
  /** What is to be there; 0: zeroes. */
  data: usize;
  buffer: usize;
  offset: u64;
  count: u64;
  at: u64;
  length: u64;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.multiConn = Support.Native;
  // Comparing may take as long as reading.
  info.fastZero = Support.None;
  return 0;
}

function check(handle: i32, request: i32, data: usize, count: u64, offset: u64): i32 {
  const buffer = alloc(BUFFER_BYTES, 16);
  const work = buffer ? begin<Work>(haveRead) : null;
  if (!work) {
    if (buffer) free(buffer, BUFFER_BYTES);
    return failWith(Errno.ENOMEM, "cannot compare what is written: no memory");
  }
  work.request = request;
  work.handle = handle;
  work.data = data;
  work.buffer = buffer;
  work.offset = offset;
  work.count = count;
  return data ? compare(work) : lookForZeroes(work);
}

/** Skips what is known to be zero, then compares. */
function lookForZeroes(work: Work): i32 {
  while (work.at < work.count) {
    then(work, haveExtents);
    const list = work.buffer + <usize>STEP;
    store<u32>(list, LIST_EXTENTS);
    const left = work.count - work.at;
    const status = nextExtents(work.handle, 0, list, left, work.offset + work.at, 0, token(work));
    if (status == PENDING) return PENDING;
    const done = status ? finish(work, status) : step(work);
    if (done != AGAIN) return done;
  }
  return finish(work, 0);
}

/** Not an errno: there is more to do at once. */
const AGAIN: i32 = -2;

function haveExtents(token: i32, result: i32): void {
  const work = taskOf<Work>(token);
  const request = work.request;
  let status = result ? finish(work, result) : step(work);
  if (status == AGAIN) status = lookForZeroes(work);
  if (status != PENDING) complete(request, status);
}

/** Skips zeroes and begins to compare what follows, as far as the list goes. */
function step(work: Work): i32 {
  const list = changetype<ExtentList>(work.buffer + <usize>STEP);
  work.length = 0;
  for (let i: u32 = 0; i < list.count; i++) {
    const bytes = min(list.lengthAt(i), work.count - work.at);
    if (list.flagsAt(i) & ExtentFlag.Zero) {
      work.at += bytes;
      continue;
    }
    work.length = min(bytes, STEP);
    break;
  }
  if (!work.length) return AGAIN;
  then(work, haveRead);
  const at = work.offset + work.at;
  const status = nextPread(work.handle, 0, work.buffer, work.length, at, 0, token(work));
  if (status == PENDING) return PENDING;
  const errno = status ? status : differs(work);
  return errno ? finish(work, errno) : AGAIN;
}

/** Compares with what is given, to the end. */
function compare(work: Work): i32 {
  while (work.at < work.count) {
    work.length = min(work.count - work.at, STEP);
    const at = work.offset + work.at;
    const status = nextPread(work.handle, 0, work.buffer, work.length, at, 0, token(work));
    if (status == PENDING) return PENDING;
    const errno = status ? status : differs(work);
    if (errno) return finish(work, errno);
  }
  return finish(work, 0);
}

function haveRead(token: i32, result: i32): void {
  const work = taskOf<Work>(token);
  const request = work.request;
  const errno = result ? result : differs(work);
  const status = errno ? finish(work, errno) : work.data ? compare(work) : lookForZeroes(work);
  if (status != PENDING) complete(request, status);
}

/** 0 where what was read is what is to be there; goes on behind it. */
function differs(work: Work): i32 {
  const length = <usize>work.length;
  const same = work.data
    ? memory.compare(work.buffer, work.data + <usize>work.at, length) == 0
    : isZero(work.buffer, length);
  if (!same) {
    say("what is written is not what is there, in the ");
    sayNumber(length);
    say(" bytes from ");
    sayNumber(work.offset + work.at);
    return fail(Errno.EIO);
  }
  work.at += work.length;
  return 0;
}

function isZero(pointer: usize, length: usize): bool {
  let bits: u64 = 0;
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) bits |= load<u64>(pointer + i);
  for (; i < length; i++) bits |= load<u8>(pointer + i);
  return !bits;
}

function finish(work: Work, errno: i32): i32 {
  free(work.buffer, BUFFER_BYTES);
  end(work);
  return errno;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return check(handle, request, data, count, offset);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return check(handle, request, 0, count, offset);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return check(handle, request, 0, count, offset);
}

/** Nothing was written. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset, flags);
}
