// SPDX-License-Identifier: MIT
// Copy on write (README.md beside this folder): blocks that were written lie in memory, all others are
// read from below. A write of part of a block brings in the rest of it from below first.

import {
  alloc,
  begin,
  CallFlag,
  closeHandle,
  complete,
  DataFlag,
  end as endTask,
  Errno,
  extent,
  ExtentFlag,
  fail,
  failWith,
  Info,
  infoOf,
  metric,
  nextForward,
  nextOpen,
  nextPread,
  nextSize,
  openHandle,
  PENDING,
  replyData,
  replyZero,
  say,
  sayNumber,
  Support,
  Task,
  taskOf,
  token,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, HOLE } from "../../lib/blocks/assembly/map";
import { provideUnits, unitsMax, unitsUsed } from "../../lib/blocks/assembly/units";
import {
  anyMoving,
  committedBytes,
  finishCommit,
  isCommitting,
  mayCommit,
  setUpCommit,
  startCommit,
} from "./commit";
import {
  anyFetching,
  beginFetch,
  blank,
  blockBits,
  blockMask,
  createOverlay,
  diskSize,
  endFetch,
  forget,
  isBelow,
  lengthOf,
  put,
  Run,
  runKind,
  runLength,
  runPointer,
  scan,
  unitsMissing,
} from "./overlay";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of cow-commit. */
const enum Commit {
  Never = 0,
  Stop = 1,
  Full = 2,
}

/** Parts that one answer may have; extents may stop short of the end. */
const EXTENTS_MAX: i32 = 1024;

let blockSize: u64 = 4096;
let bytesMax: u64 = <u64>u32.MAX_VALUE;
let commit: i32 = Commit.Never;

/** Size of the disk; -1: not known yet. All clients see the same overlay, so there is one export. */
let size: i64 = -1;
let exportName: usize = 0;
let exportNameLength: usize = 0;

/** A change that waits, for blocks from below or for others that are under way. */
@unmanaged
class Change extends Task {
  /** Change that waits behind this one. */
  next: usize;
  handle: i32;
  request: i32;
  /** 0: zeroes. */
  data: usize;
  count: u64;
  offset: u64;
  flags: i32;
  /** Blocks that are being fetched, and those that were. */
  left: i32;
  fetches: i32;
  errno: i32;
  /** Commits that were begun for it since one has brought something below, and what they had brought then. */
  commits: i32;
  committed: u64;
  first: u64;
  last: u64;
}

/** `fetches`, bit by bit. */
const FIRST: i32 = 1;
const LAST: i32 = 2;

/** Commits in vain that are begun to find room for one change. */
const COMMITS_MAX: i32 = 3;

/** Changes that wait for blocks or for room, in order. */
let firstWaiting: usize = 0;
let lastWaiting: usize = 0;
/** One of them waits for room, while a commit is under way: who comes later gets none before it. */
let hungry = false;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) blockSize = value;
  else if (index == 1) bytesMax = value;
  else commit = <i32>value;
}

export function sb_ready(): i32 {
  if (!(blockSize & (blockSize - 1))) return 0;
  say("cannot use blocks of ");
  sayNumber(blockSize);
  return failWith(Errno.EINVAL, " bytes: cow-block-size must be a power of two");
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (size < 0) {
    if (nameLength && !exportName) {
      exportName = alloc(nameLength, 1);
      if (!exportName) return -Errno.ENOMEM;
      memory.copy(exportName, name, nameLength);
      exportNameLength = nameLength;
    }
  }
  if (nameLength != exportNameLength || memory.compare(name, exportName, nameLength)) {
    return -failWith(Errno.EBUSY, "cannot open a second export: the overlay belongs to the first");
  }
  const handle = openHandle(0);
  return handle < 0 ? -Errno.ENOMEM : handle;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

export function sb_size(handle: i32): i64 {
  if (size < 0) {
    const errno = setUp(handle);
    if (errno) return -errno;
  }
  return size;
}

/** The first export is open: makes the overlay. */
function setUp(handle: i32): i32 {
  const below = nextSize(handle, 0);
  const info = infoOf(handle, 0);
  const bytes = max(blockSize, <u64>info.blockMinimum);
  if (bytes > <u64>info.blockMaximum) {
    say("cannot fetch blocks of ");
    sayNumber(bytes);
    say(" bytes: the device below takes reads of at most ");
    sayNumber(info.blockMaximum);
    return fail(Errno.EINVAL);
  }
  if (commit != Commit.Never) {
    const own = nextOpen(exportName, exportNameLength, 0);
    // Why it cannot be opened for writing, the host has said already.
    if (own < 0) return -own;
    const writable = infoOf(own, 0);
    if (!writable.zero) {
      return failWith(Errno.EROFS, "cannot commit to the device below: it is read-only");
    }
    setUpCommit(own, writable.blockMaximum, writable.flush != Support.None);
  }
  if (!createOverlay(below, <u32>ctz(bytes), bytesMax)) {
    return failWith(Errno.ENOMEM, "cannot set up the overlay: no memory");
  }
  size = below;
  return 0;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  const bytes = max(blockSize, <u64>info.blockMinimum);
  if (bytes <= <u64>info.blockMaximum) info.blockPreferred = max(info.blockPreferred, <u32>bytes);
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.trim = Support.Native;
  info.zero = Support.Native;
  info.fastZero = Support.Native;
  info.multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  // What is committed leaves its memory when nobody knows of it.
  const stable = mayCommit() ? DataFlag.Transient : DataFlag.Stable;
  let pending = false;
  for (let at = offset; at < end; at += runLength) {
    scan(at, end);
    if (runKind == Run.Data) replyData(request, at - offset, runPointer, runLength, stable);
    else if (runKind == Run.Hole) replyZero(request, at - offset, runLength, ZeroFlag.Hole);
    else {
      const status = nextForward(request, 0, at - offset, runLength, at, flags, 0);
      if (status == PENDING) pending = true;
      else if (status) return status;
    }
  }
  return pending ? PENDING : 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  let left = flags & CallFlag.ReqOne ? 1 : EXTENTS_MAX;
  let pending = false;
  let at = offset;
  for (; at < end && left; left--) {
    scan(at, end);
    const kind = runKind;
    let length = runLength;
    // Blocks of one extent need not be neighbours in memory.
    while (kind == Run.Data && at + length < end) {
      scan(at + length, end);
      if (runKind != Run.Data) break;
      length += runLength;
    }
    if (kind == Run.Data) extent(request, length, ExtentFlag.Data);
    else if (kind == Run.Hole) extent(request, length, ExtentFlag.HoleZero);
    else {
      const status = nextForward(request, 0, at - offset, length, at, flags, 0);
      if (status == PENDING) pending = true;
      else if (status) return status;
    }
    at += length;
  }
  return pending ? PENDING : 0;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const first = offset >> blockBits;
  const last = (offset + count - 1) >> blockBits;
  // Mostly nothing has to be fetched and nothing is in the way.
  const free = !isBusy(first, last) && (!hungry || !unitsMissing(first, last));
  if (free && !fetchesOf(first, last, offset, count) && put(offset, count, data)) return done(0);
  return change(handle, request, data, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const first = offset >> blockBits;
  const last = (offset + count - 1) >> blockBits;
  const free = flags & CallFlag.MayTrim && !hungry && !isBusy(first, last);
  if (free && !fetchesOf(first, last, offset, count)) {
    return clear(offset, count, true) ? done(0) : full();
  }
  return change(handle, request, 0, count, offset, flags);
}

/** Whole blocks become holes; what is left of others may stay as it is. Never waits. */
export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  const from = (offset + blockMask) >> blockBits;
  const to = end == diskSize ? (end + blockMask) >> blockBits : end >> blockBits;
  // What is under way may as well stay: it has been written after this.
  if (from < to && !isBusy(from, to - 1)) forget(from, to, HOLE);
  return done(0);
}

/** What is written is as safe as it gets. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}

export function sb_finish(): void {
  finishCommit();
}

// @ts-ignore: decorator
@inline
function isBusy(first: u64, last: u64): bool {
  return anyFetching(first, last) || anyMoving(first, last);
}

/** Which blocks at the ends of a change have to be brought in, as part of them stays. */
function fetchesOf(first: u64, last: u64, offset: u64, count: u64): i32 {
  const end = offset + count;
  const cutsLast = (end & blockMask) != 0 && end != diskSize;
  let fetches = 0;
  if ((offset & blockMask) != 0 || (first == last && cutsLast)) {
    if (isBelow(first)) fetches |= FIRST;
  }
  if (last != first && cutsLast && isBelow(last)) fetches |= LAST;
  return fetches;
}

/** A change that may have to wait. */
function change(handle: i32, request: i32, data: usize, count: u64, offset: u64, flags: i32): i32 {
  const one = begin<Change>(fetched);
  if (!one) return failWith(Errno.ENOMEM, "cannot store changes: no memory");
  one.handle = handle;
  one.request = request;
  one.data = data;
  one.count = count;
  one.offset = offset;
  one.flags = flags;
  one.first = offset >> blockBits;
  one.last = (offset + count - 1) >> blockBits;
  return attempt(one);
}

/** Does the change or lets it wait. Returns PENDING, or what became of it; then it is over. */
function attempt(one: Change): i32 {
  const first = one.first;
  const last = one.last;
  if (isBusy(first, last)) return wait(one);
  one.fetches = fetchesOf(first, last, one.offset, one.count);
  if (hungry && takesRoom(one)) return wait(one);
  if (!hasRoom(one)) {
    if (isCommitting() && canFit(one)) return waitForRoom(one);
    // A commit that fails makes no room: not again and again. The room that others made may be taken already.
    if (one.committed != committedBytes()) one.commits = 0;
    one.committed = committedBytes();
    const tries = commit == Commit.Full && canFit(one) && one.commits++ < COMMITS_MAX && startCommit();
    if (!tries || !hasRoom(one)) {
      if (tries && isCommitting()) return waitForRoom(one);
      endTask(one);
      return full();
    }
    one.fetches = fetchesOf(first, last, one.offset, one.count);
  }
  one.left = 0;
  if (one.fetches & FIRST) fetch(one, first);
  if (one.fetches & LAST) fetch(one, last);
  return one.left ? PENDING : finish(one);
}

/** Whether there is memory for the change. Zeroes that may be holes only take what is fetched. */
function hasRoom(one: Change): bool {
  if (makesHoles(one)) return provideUnits(popcnt(one.fetches));
  return provideUnits(unitsMissing(one.first, one.last));
}

function takesRoom(one: Change): bool {
  return one.fetches != 0 || (!makesHoles(one) && unitsMissing(one.first, one.last) != 0);
}

/** Whether there would be, with nothing else in it. */
function canFit(one: Change): bool {
  return makesHoles(one) || unitsMissing(one.first, one.last) <= unitsMax();
}

// @ts-ignore: decorator
@inline
function makesHoles(one: Change): bool {
  return !one.data && (one.flags & CallFlag.MayTrim) != 0;
}

function fetch(one: Change, block: u64): void {
  const unit = beginFetch(block);
  if (!unit) {
    one.fetches &= block == one.first ? ~FIRST : ~LAST;
    one.errno = Errno.ENOSPC;
    return;
  }
  const length = lengthOf(block);
  const status = nextPread(one.handle, 0, unit, length, block << blockBits, 0, token(one));
  if (status == PENDING) one.left++;
  else if (status) one.errno = status;
}

function fetched(at: i32, result: i32): void {
  const one = taskOf<Change>(at);
  if (result) one.errno = result;
  if (--one.left) return;
  const request = one.request;
  const status = finish(one);
  if (status != PENDING) complete(request, status);
  resumeWaiting();
}

/** All that was to be fetched has come, or has not. Returns what `attempt` does. */
function finish(one: Change): i32 {
  if (one.fetches & FIRST) endFetch(one.first, !one.errno);
  if (one.fetches & LAST) endFetch(one.last, !one.errno);
  let errno = one.errno;
  // Meanwhile others may have got hold of the blocks between the ends.
  if (!errno && isBusy(one.first, one.last)) return wait(one);
  if (!errno) {
    const stored = makesHoles(one)
      ? clear(one.offset, one.count, false)
      : put(one.offset, one.count, one.data);
    if (!stored) errno = Errno.ENOSPC;
    // Others may have taken the room meanwhile.
    if (!stored && commit == Commit.Full) return attempt(one);
  }
  endTask(one);
  return errno == Errno.ENOSPC ? full() : done(errno);
}

/** Zeroes that may be holes. `frees`: memory may become free, which others may be sending from later. */
function clear(offset: u64, count: u64, frees: bool): bool {
  const end = offset + count;
  const from = (offset + blockMask) >> blockBits;
  const to = end == diskSize ? (end + blockMask) >> blockBits : end >> blockBits;
  if (from > to) return blankPart(offset, count);
  const head = (from << blockBits) - offset;
  if (head && !blankPart(offset, head)) return false;
  const rest = to << blockBits;
  if (rest < end && !blankPart(rest, end - rest)) return false;
  return frees ? forget(from, to, HOLE) : blank(from, to);
}

/** Zeroes a part of one block. */
function blankPart(offset: u64, count: u64): bool {
  return entryOf(offset >> blockBits) == HOLE || put(offset, count, 0);
}

function wait(one: Change): i32 {
  one.next = 0;
  if (lastWaiting) changetype<Change>(lastWaiting).next = changetype<usize>(one);
  else firstWaiting = changetype<usize>(one);
  lastWaiting = changetype<usize>(one);
  return PENDING;
}

function waitForRoom(one: Change): i32 {
  hungry = true;
  return wait(one);
}

/** Blocks or room have become free: tries again what waits for them. */
export function resumeWaiting(): void {
  hungry = false;
  let at = firstWaiting;
  firstWaiting = 0;
  lastWaiting = 0;
  while (at) {
    const one = changetype<Change>(at);
    at = one.next;
    const request = one.request;
    const status = attempt(one);
    if (status != PENDING) complete(request, status);
  }
}

/** Ends a change with `errno`. */
function done(errno: i32): i32 {
  metric(0, unitsUsed() << blockBits);
  // Begins in time, so that writes seldom have to wait.
  if (commit == Commit.Full && unitsUsed() > unitsMax() - (unitsMax() >> 2)) startCommit();
  return errno;
}

function full(): i32 {
  return failWith(Errno.ENOSPC, "cannot store changes: the memory of the filter is used up");
}
