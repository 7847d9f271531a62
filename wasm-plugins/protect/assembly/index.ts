// SPDX-License-Identifier: MIT
// Keeps ranges as they are (README.md beside this folder): what is written there must be there already.
// First everything that is protected is compared, then all else is passed on.

import {
  alloc,
  begin,
  complete,
  end,
  Errno,
  fail,
  failWith,
  free,
  infoOf,
  nextForward,
  nextPread,
  nextSize,
  pass,
  payload,
  PENDING,
  say,
  sayNumber,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { addRange, areAligned, runAt, runInside, touches } from "../../lib/ranges/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** So much is compared at a time: what is there lies first, what is to be there behind it. */
const STEP: u64 = 65536;

/** A request part of which is protected. */
@unmanaged
class Work extends Task {
  request: i32;
  handle: i32;
  count: u64;
  offset: u64;
  flags: i32;
  /** It is a write; otherwise zeroes are what is to be there. */
  writes: bool;
  buffer: usize;
  /** What is being compared. */
  at: u64;
  length: u64;
}

let status: i32 = 0;

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  if (!status) status = addRange("protect", pointer, length);
}

export function sb_ready(): i32 {
  return status;
}

export function sb_size(handle: i32): i64 {
  const size = nextSize(handle, 0);
  const block = infoOf(handle, 0).blockMinimum;
  if (areAligned(block, size)) return size;
  say("cannot protect parts of blocks: the device is made of blocks of ");
  sayNumber(block);
  say("; put the filter blocksize below this one");
  return -fail(Errno.EINVAL);
}

function check(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  writes: bool,
): i32 {
  if (!touches(offset, offset + count)) return pass(request, count, offset, flags);
  const buffer = alloc(<usize>(2 * STEP), 16);
  const work = buffer ? begin<Work>(compared) : null;
  if (!work) {
    if (buffer) free(buffer, <usize>(2 * STEP));
    return failWith(Errno.ENOMEM, "cannot compare what is protected: no memory");
  }
  work.request = request;
  work.handle = handle;
  work.count = count;
  work.offset = offset;
  work.flags = flags;
  work.writes = writes;
  work.buffer = buffer;
  return compare(work);
}

/** Compares from `at` on until something has to be waited for, then passes the rest on. */
function compare(work: Work): i32 {
  const limit = work.offset + work.count;
  while (work.at < work.count) {
    const from = work.offset + work.at;
    const until = runAt(from, limit);
    if (!runInside) {
      work.at = until - work.offset;
      continue;
    }
    work.length = min(until - from, STEP);
    const status = nextPread(work.handle, 0, work.buffer, work.length, from, 0, token(work));
    if (status == PENDING) return PENDING;
    const errno = status ? status : differs(work);
    if (errno) return finish(work, errno);
  }
  return passOn(work);
}

function compared(token: i32, result: i32): void {
  const work = taskOf<Work>(token);
  const request = work.request;
  const errno = result ? result : differs(work);
  const status = errno ? finish(work, errno) : compare(work);
  if (status != PENDING) complete(request, status);
}

/** 0 where what is there is what is to be there; goes on to what follows. */
function differs(work: Work): i32 {
  const length = <usize>work.length;
  const wanted = work.buffer + <usize>STEP;
  if (work.writes) {
    const errno = payload(work.request, work.at, wanted, length);
    if (errno) return errno;
  } else memory.fill(wanted, 0, length);
  if (memory.compare(work.buffer, wanted, length)) {
    say("cannot change what is protected: ");
    sayNumber(length);
    say(" bytes at ");
    sayNumber(work.offset + work.at);
    return fail(Errno.EPERM);
  }
  work.at += work.length;
  return 0;
}

/** Passes on what is not protected. */
function passOn(work: Work): i32 {
  const limit = work.offset + work.count;
  let pending = false;
  let at = work.offset;
  while (at < limit) {
    const until = runAt(at, limit);
    if (!runInside) {
      const from = at - work.offset;
      const status = nextForward(work.request, 0, from, until - at, at, work.flags, 0);
      if (status == PENDING) pending = true;
      else if (status) return finish(work, status);
    }
    at = until;
  }
  finish(work, 0);
  return pending ? PENDING : 0;
}

function finish(work: Work, errno: i32): i32 {
  free(work.buffer, <usize>(2 * STEP));
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
  return check(handle, request, count, offset, flags, true);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return check(handle, request, count, offset, flags, false);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return check(handle, request, count, offset, flags, false);
}

/** Nobody could say that what was protected is there still. */
export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  if (!touches(offset, offset + count)) return pass(request, count, offset, flags);
  return failWith(Errno.EPERM, "cannot erase what is protected");
}
