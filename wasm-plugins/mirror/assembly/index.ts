// SPDX-License-Identifier: MIT
// Several devices with the same content (README.md beside this folder). Writes go to all, reads to one
// after the other. A device that fails a change is out of date and left alone from then on.

import {
  alloc,
  complete,
  Errno,
  failWith,
  free,
  logLine,
  LogLevel,
  metric,
  nextCount,
  nextForward,
  nextSize,
  PENDING,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

const CHILDREN_MAX: i32 = 16;

/** A request on its way: to all devices, or to one. */
@unmanaged
class Work {
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
  /** Devices that have not answered. */
  left: i32;
  /** Devices that have done it. */
  done: i32;
  /** Errno of the last one that failed. */
  errno: i32;
  /** Devices that a read was tried on, bit by bit. */
  tried: u32;
  isRead: i32;
}

/** A device that is asked; `sb_done` gets the address of its place among those of the work. */
@unmanaged
class Part {
  work: usize;
  child: i32;
}

/** Behind each Work lie the parts, one for each device. */
const PART_BYTES: usize = 8;

/** Devices in use, bit by bit. */
let alive: u32 = 0;
let children: i32 = 0;
/** The device that answers the next read. */
let turn: i32 = 0;
let failures: i64 = 0;

export function sb_ready(): i32 {
  children = nextCount();
  alive = (1 << children) - 1;
  metric(0, children);
  return 0;
}

/** As large as the smallest of them. */
export function sb_size(handle: i32): i64 {
  let size = nextSize(handle, 0);
  for (let child = 1; child < children; child++) size = min(size, nextSize(handle, child));
  return size;
}

function workBytes(): usize {
  return offsetof<Work>() + <usize>CHILDREN_MAX * PART_BYTES;
}

function makeWork(request: i32, count: u64, offset: u64, flags: i32): usize {
  const pointer = alloc(workBytes(), 8);
  if (!pointer) return 0;
  const work = changetype<Work>(pointer);
  work.request = request;
  work.flags = flags;
  work.count = count;
  work.offset = offset;
  work.left = 0;
  work.done = 0;
  work.errno = 0;
  work.tried = 0;
  work.isRead = 0;
  return pointer;
}

/** Asks one device. Returns what nextForward does. */
function ask(pointer: usize, child: i32): i32 {
  const work = changetype<Work>(pointer);
  const place = pointer + offsetof<Work>() + <usize>child * PART_BYTES;
  const part = changetype<Part>(place);
  part.work = pointer;
  part.child = child;
  return nextForward(work.request, child, 0, work.count, work.offset, work.flags, <i32>place);
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot mirror the request: no memory");
}

/** A device has failed a change: what it holds is not what it should. */
function lose(child: i32, errno: i32): void {
  failures++;
  metric(1, failures);
  if (!(alive & (1 << child))) return;
  alive &= ~(1 << child);
  metric(0, popcnt(alive));
  say("device ");
  sayNumber(child);
  say(" is left out from now on: a change failed with error ");
  sayNumber(errno);
  say("; devices in use: ");
  sayNumber(popcnt(alive));
  logLine(LogLevel.Error);
}

/** Changes all devices. */
function change(request: i32, count: u64, offset: u64, flags: i32): i32 {
  const pointer = makeWork(request, count, offset, flags);
  if (!pointer) return noMemory();
  const work = changetype<Work>(pointer);
  const targets = alive;
  // Those that fail at once must not be lost before it is known whether any has succeeded: an
  // error that all of them give is the request's own.
  let failed: u32 = 0;
  for (let child = 0; child < children; child++) {
    if (!(targets & (1 << child))) continue;
    const status = ask(pointer, child);
    if (status == PENDING) work.left++;
    else if (status) {
      failed |= 1 << child;
      work.errno = status;
    } else work.done++;
  }
  work.tried = failed;
  if (work.left) return PENDING;
  const errno = conclude(work);
  free(pointer, workBytes());
  return errno;
}

/** All devices have answered: what becomes of the request. */
function conclude(work: Work): i32 {
  if (!work.done) return work.errno ? work.errno : <i32>Errno.EIO;
  for (let child = 0; child < children; child++) {
    if (work.tried & (1 << child)) lose(child, work.errno);
  }
  return 0;
}

/** Reads from the next device that has not been tried, and from others where that fails at once. */
function read(pointer: usize): i32 {
  const work = changetype<Work>(pointer);
  for (let i = 0; i < children; i++) {
    const child = turn;
    turn = turn + 1 == children ? 0 : turn + 1;
    const bit: u32 = 1 << child;
    if (!(alive & bit) || work.tried & bit) continue;
    work.tried |= bit;
    const status = ask(pointer, child);
    if (status == PENDING || !status) return status;
    work.errno = status;
    failures++;
    metric(1, failures);
  }
  return work.errno ? work.errno : <i32>Errno.EIO;
}

function readAny(request: i32, count: u64, offset: u64, flags: i32): i32 {
  const pointer = makeWork(request, count, offset, flags);
  if (!pointer) return noMemory();
  changetype<Work>(pointer).isRead = 1;
  const status = read(pointer);
  if (status != PENDING) free(pointer, workBytes());
  return status;
}

export function sb_done(token: i32, result: i32): void {
  const part = changetype<Part>(<usize>token);
  const pointer = part.work;
  const child = part.child;
  const work = changetype<Work>(pointer);
  let errno = result;
  if (work.isRead) {
    if (result) {
      failures++;
      metric(1, failures);
      work.errno = result;
      errno = read(pointer);
      if (errno == PENDING) return;
    }
  } else {
    if (result) {
      work.tried |= 1 << child;
      work.errno = result;
    } else work.done++;
    if (--work.left) return;
    errno = conclude(work);
  }
  const request = work.request;
  free(pointer, workBytes());
  complete(request, errno);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return readAny(request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return readAny(request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return readAny(request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return change(request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return change(request, 0, 0, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags);
}
