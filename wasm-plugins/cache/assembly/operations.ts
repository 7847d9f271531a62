// SPDX-License-Identifier: MIT
// Requests that may have to wait: for blocks on their way, for room, or for what is below. Those that
// wait stand in one line and are all tried again whenever something has ended.

import {
  begin,
  CallFlag,
  complete,
  DataFlag,
  end,
  Errno,
  failWith,
  nextFlush,
  nextForward,
  nextPread,
  nextPwrite,
  nextTrim,
  nextZero,
  PENDING,
  replyData,
  Task,
  taskOf,
  then,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, spanEnd } from "../../lib/blocks/assembly/map";
import { unitsMax, unitsUsed } from "../../lib/blocks/assembly/units";
import {
  anyOnItsWay,
  arrive,
  blockBits,
  blockMask,
  DIRTY,
  diskSize,
  evict,
  FETCHING,
  FLAGS,
  forsake,
  insert,
  lengthOf,
  remove,
  soil,
  touch,
  unitOf,
  unitsMissing,
} from "./store";
import { isClean, isWriting, pump, takeFailure, writeAll } from "./writeback";

/** What a request is. */
export const enum Kind {
  Read = 0,
  /** A write that ends in the cache. */
  Write = 1,
  /** A write that goes below. */
  Through = 2,
  Zero = 3,
  Trim = 4,
  Cache = 5,
}

/** Fetches, or waits for room, that one request begins before it does without the cache. */
const TRIES_MAX: i32 = 3;
/** Largest piece that is fetched. */
const FETCH_BYTES_MAX: u64 = 1 << 20;

/** A request that is not finished. */
@unmanaged
export class Operation extends Task {
  /** The next one in line. */
  next: usize;
  kind: i32;
  handle: i32;
  request: i32;
  flags: i32;
  data: usize;
  count: u64;
  offset: u64;
  first: u64;
  last: u64;
  tries: i32;
  /** A read: parts that were forwarded and are under way. */
  left: i32;
  errno: i32;
  /** Pieces that it fetches and that are on their way. */
  fetches: i32;
}

/** Blocks on their way from below; `owner` is told when they do not come. */
@unmanaged
class Fetch extends Task {
  from: u64;
  to: u64;
  owner: usize;
}

/** A flush that waits for changes of `age` and older. Without a request it is the filter's own. */
@unmanaged
class Flush extends Task {
  next: usize;
  request: i32;
  age: u32;
  errno: i32;
}

export let fetchesReads = false;
let ownHandle: i32 = -1;
let canFlush = false;
let fetchBytesMax: u64 = 4096;
let firstWaiting: usize = 0;
let lastWaiting: usize = 0;
let flushes: usize = 0;
/** Requests that are changing what is below now, linked by `next`. */
let passing: usize = 0;

/** Work goes through the filter's `own` handle; `maximum` is the largest read there. */
export function setUpOperations(own: i32, flushesBelow: bool, maximum: u32, onRead: bool): void {
  ownHandle = own;
  canFlush = flushesBelow;
  fetchBytesMax = max(min(FETCH_BYTES_MAX, <u64>maximum), blockMask + 1);
  fetchesReads = onRead;
}

/** Makes an operation and begins it. Returns what the call for the request does. */
export function operate(
  kind: i32,
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const one = begin<Operation>(passed);
  if (!one) return failWith(Errno.ENOMEM, "cannot take the request: no memory");
  one.kind = kind;
  one.handle = handle;
  one.request = request;
  one.flags = flags;
  one.data = data;
  one.count = count;
  one.offset = offset;
  one.first = offset >> blockBits;
  one.last = (offset + count - 1) >> blockBits;
  return attempt(one);
}

/** Does it, or lets it wait. Returns PENDING, or what became of it; then it is over. */
function attempt(one: Operation): i32 {
  let status: i32;
  if (one.fetches) status = wait(one);
  else if (one.errno) status = one.errno;
  else if (one.kind == Kind.Read) status = read(one);
  else if (one.kind == Kind.Cache) status = fetchMissing(one) ? wait(one) : 0;
  else if (isInTheWay(one.first, one.last)) status = wait(one);
  else if (one.kind == Kind.Write) status = write(one);
  else status = passOn(one);
  if (status != PENDING) end(one);
  return status;
}

/** Whether blocks are on their way, or are being changed below. */
export function isInTheWay(first: u64, last: u64): bool {
  return anyOnItsWay(first, last) || isPassing(first, last);
}

/** Whether some of the blocks are being changed below, so that none of it may go there otherwise. */
export function isPassing(first: u64, last: u64): bool {
  for (let at = passing; at; at = changetype<Operation>(at).next) {
    const other = changetype<Operation>(at);
    if (first <= other.last && last >= other.first) return true;
  }
  return false;
}

function wait(one: Operation): i32 {
  one.next = 0;
  if (lastWaiting) changetype<Operation>(lastWaiting).next = changetype<usize>(one);
  else firstWaiting = changetype<usize>(one);
  lastWaiting = changetype<usize>(one);
  return PENDING;
}

/** Something has ended: tries again what waits. */
function resumeWaiting(): void {
  let at = firstWaiting;
  firstWaiting = 0;
  lastWaiting = 0;
  while (at) {
    const one = changetype<Operation>(at);
    at = one.next;
    const request = one.request;
    const status = attempt(one);
    if (status != PENDING) complete(request, status);
  }
}

/** Pieces have been written back, or not. */
export function movesEnded(): void {
  checkFlushes();
  resumeWaiting();
}

// --- Reads.

/** Fetches what is missing and waits for it, or answers. */
function read(one: Operation): i32 {
  if (one.tries < TRIES_MAX && fetchMissing(one)) return wait(one);
  if (one.errno) return one.errno;
  then(one, forwarded);
  const status = answer(one.request, one.count, one.offset, one.flags, token(one), one);
  return one.left ? PENDING : status;
}

/** Part of a read was answered from below. */
function forwarded(at: i32, result: i32): void {
  const one = taskOf<Operation>(at);
  if (result) one.errno = result;
  if (--one.left) return;
  complete(one.request, one.errno);
  end(one);
}

/**
 * Answers a read with what is there and forwards the rest. With an operation the parts that are under
 * way are counted there, and the first error; else the host sees to that.
 */
export function answer(
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  tokenOf: i32,
  one: Operation | null,
): i32 {
  const stop = offset + count;
  let pending = false;
  for (let at = offset; at < stop;) {
    const entry = entryOf(at >> blockBits);
    const cached = entry && !(entry & FETCHING);
    let to = at;
    let next = min(spanEnd << blockBits, stop);
    if (cached) {
      const unit = unitOf(entry);
      touch(unit);
      replyData(request, at - offset, unit + <usize>(at & blockMask), next - at, DataFlag.Transient);
      at = next;
      continue;
    }
    while (next < stop) {
      const other = entryOf(next >> blockBits);
      if (other && !(other & FETCHING)) break;
      next = min(spanEnd << blockBits, stop);
    }
    const status = nextForward(request, 0, to - offset, next - to, to, flags, tokenOf);
    if (status == PENDING) {
      pending = true;
      if (one) one.left++;
    } else if (status) {
      if (one) one.errno = status;
      return status;
    }
    at = next;
  }
  return pending ? PENDING : 0;
}

/**
 * Begins to fetch the blocks that are not there, as far as there is room. Returns whether some are on
 * their way.
 */
function fetchMissing(one: Operation): bool {
  const wants = (one.kind == Kind.Cache || fetchesReads) && !isPassing(one.first, one.last);
  // What does not fit beside other requests would only push itself out.
  const fits = one.last - one.first + 1 <= unitsMax() >> 2;
  let coming = false;
  let began = false;
  for (let block = one.first; block <= one.last; block = spanEnd) {
    const entry = entryOf(block);
    if (entry & FETCHING) coming = true;
    if (entry || !wants || !fits || (one.kind == Kind.Cache && one.tries)) continue;
    const fetched = fetch(one, block, min(one.last + 1, block + (fetchBytesMax >> blockBits)));
    if (!fetched) break;
    began = true;
    if (entryOf(block) & FETCHING) coming = true;
    entryOf(fetched - 1);
  }
  if (began) one.tries++;
  return coming;
}

/** Fetches blocks from `from` on that lie side by side in memory. Returns the one behind; 0: none. */
function fetch(one: Operation, from: u64, most: u64): u64 {
  const first = insert(from, FETCHING, 0);
  if (!first) return 0;
  const bytes = <usize>blockMask + 1;
  let to = from + 1;
  for (let unit = first; to < most && !entryOf(to); to++) {
    const next = insert(to, FETCHING, unit);
    if (!next) break;
    if (next != unit + bytes) {
      // It will be the first of another piece.
      forsake(to);
      break;
    }
    unit = next;
  }
  const task = begin<Fetch>(fetched);
  if (!task) {
    for (let block = from; block < to; block++) forsake(block);
    return 0;
  }
  task.from = from;
  task.to = to;
  task.owner = one.kind == Kind.Cache ? 0 : changetype<usize>(one);
  const offset = from << blockBits;
  const count = min(to << blockBits, diskSize) - offset;
  if (task.owner) one.fetches++;
  const status = nextPread(ownHandle, 0, first, count, offset, 0, token(task));
  if (status != PENDING) endFetch(task, status);
  return to;
}

function fetched(at: i32, result: i32): void {
  endFetch(taskOf<Fetch>(at), result);
  resumeWaiting();
}

function endFetch(task: Fetch, errno: i32): void {
  for (let block = task.from; block < task.to; block++) {
    if (errno) forsake(block);
    else arrive(block);
  }
  if (task.owner) {
    const owner = changetype<Operation>(task.owner);
    owner.fetches--;
    if (errno) owner.errno = errno;
  }
  end(task);
}

// --- Writes that end in the cache.

/** Which of the blocks at the ends have to be fetched, as part of them stays: as bits 1 and 2. */
export function cutsAbsent(first: u64, last: u64, offset: u64, count: u64): i32 {
  const stop = offset + count;
  const cutsLast = (stop & blockMask) != 0 && stop != diskSize;
  let cuts = 0;
  if ((offset & blockMask) != 0 || (first == last && cutsLast)) {
    if (!entryOf(first)) cuts |= 1;
  }
  if (last != first && cutsLast && !entryOf(last)) cuts |= 2;
  return cuts;
}

function write(one: Operation): i32 {
  const first = one.first;
  const last = one.last;
  const fits = last - first + 1 <= unitsMax() >> 1;
  const cuts = cutsAbsent(first, last, one.offset, one.count);
  if (!fits || one.tries >= TRIES_MAX) {
    one.kind = Kind.Through;
    return passOn(one);
  }
  if (cuts) {
    one.tries++;
    const came: bool = (!(cuts & 1) || fetch(one, first, first + 1)) &&
      (!(cuts & 2) || fetch(one, last, last + 1));
    if (one.fetches) return wait(one);
    if (one.errno) return one.errno;
    if (!came) return waitForRoom(one);
  }
  if (put(one.offset, one.count, one.data, true)) return 0;
  return waitForRoom(one);
}

/** Nothing can be taken out as all is dirty: has it written. */
function waitForRoom(one: Operation): i32 {
  one.tries++;
  if (!isWriting()) writeAll();
  if (isWriting()) return wait(one);
  // That went without waiting, or not at all.
  if (evict(1) || unitsUsed() < unitsMax()) return write(one);
  one.kind = Kind.Through;
  return passOn(one);
}

/**
 * Puts bytes into the cache: as changes, all of them, or else what is below already, as far as its blocks
 * are there or whole. False when there is no room for some.
 */
export function put(offset: u64, count: u64, source: usize, dirty: bool): bool {
  let previous = unitOf(entryOf((offset + count - 1) >> blockBits));
  if (previous) touch(previous);
  previous = 0;
  while (count) {
    const block = offset >> blockBits;
    const inner = offset & blockMask;
    const length = min(count, blockMask + 1 - inner);
    let unit = unitOf(entryOf(block));
    if (unit) touch(unit);
    // The last one may have been there, and been taken out for those before it.
    else if (length == lengthOf(block)) unit = insert(block, 0, previous);
    if (unit) {
      memory.copy(unit + <usize>inner, source, <usize>length);
      if (dirty) soil(block, unit);
      previous = unit;
    } else if (dirty) return false;
    source += <usize>length;
    offset += length;
    count -= length;
  }
  return true;
}

// --- What goes below.

/** Has what is below changed. No others may touch the blocks meanwhile. */
function passOn(one: Operation): i32 {
  then(one, passed);
  const handle = one.handle;
  const count = one.count;
  const offset = one.offset;
  const flags = one.flags;
  one.next = passing;
  passing = changetype<usize>(one);
  let status: i32;
  const at = token(one);
  if (one.kind == Kind.Zero) status = nextZero(handle, 0, count, offset, flags, at);
  else if (one.kind == Kind.Trim) status = nextTrim(handle, 0, count, offset, flags, at);
  else status = nextPwrite(handle, 0, one.data, count, offset, flags & CallFlag.Fua, at);
  if (status != PENDING) hasPassed(one, status);
  return status;
}

function passed(at: i32, result: i32): void {
  const one = taskOf<Operation>(at);
  const request = one.request;
  hasPassed(one, result);
  end(one);
  complete(request, result);
  pump();
  movesEnded();
}

/** What is below has changed, or may have: makes the cache agree with it. */
function hasPassed(one: Operation, errno: i32): void {
  let before: usize = 0;
  for (let at = passing; at != changetype<usize>(one); at = changetype<Operation>(at).next) {
    before = at;
  }
  if (before) changetype<Operation>(before).next = one.next;
  else passing = one.next;
  if (!errno && one.kind == Kind.Through) {
    put(one.offset, one.count, one.data, false);
    return;
  }
  const stop = one.offset + one.count;
  for (let block = one.first; block <= one.last; block = spanEnd) {
    const entry = entryOf(block);
    if (!entry) continue;
    const from = max(block << blockBits, one.offset);
    const to = min((block + 1) << blockBits, stop);
    const isWhole = to - from == lengthOf(block);
    if (errno || one.kind == Kind.Trim) {
      // Nobody knows what is below now; only what is newer than that is known.
      if (!(entry & DIRTY) || (isWhole && !errno)) remove(block);
    } else if (isWhole) remove(block);
    else memory.fill(unitOf(entry) + <usize>(from & blockMask), 0, <usize>(to - from));
    entryOf(block);
  }
}

// --- Flushes.

/** Has all changes written and what is below flushed. Without a request, for the filter itself. */
export function flush(request: i32): i32 {
  const one = begin<Flush>(flushed);
  if (!one) return failWith(Errno.ENOMEM, "cannot flush: no memory");
  one.request = request;
  one.errno = takeFailure();
  one.age = writeAll();
  if (!isClean(one.age)) {
    one.next = flushes;
    flushes = changetype<usize>(one);
    return PENDING;
  }
  return flushBelow(one);
}

/** Whether a flush waits. */
export function isFlushing(): bool {
  return flushes != 0;
}

function checkFlushes(): void {
  if (!flushes) return;
  const errno = takeFailure();
  let at = flushes;
  flushes = 0;
  while (at) {
    const one = changetype<Flush>(at);
    at = one.next;
    if (errno) one.errno = errno;
    if (!isClean(one.age)) {
      one.next = flushes;
      flushes = changetype<usize>(one);
      continue;
    }
    const request = one.request;
    const status = flushBelow(one);
    if (status != PENDING && request >= 0) complete(request, status);
  }
}

/** Everything is written: flushes what is below. */
function flushBelow(one: Flush): i32 {
  const errno = takeFailure();
  if (errno) one.errno = errno;
  const status = canFlush ? nextFlush(ownHandle, 0, 0, token(one)) : 0;
  if (status == PENDING) return PENDING;
  return endFlush(one, status);
}

function flushed(at: i32, result: i32): void {
  const one = taskOf<Flush>(at);
  const request = one.request;
  const status = endFlush(one, result);
  if (request >= 0) complete(request, status);
}

function endFlush(one: Flush, status: i32): i32 {
  const errno = one.errno ? one.errno : status;
  end(one);
  if (errno && errno == one.errno) {
    return failWith(errno, "cannot flush: changes could not be written back");
  }
  return errno;
}
