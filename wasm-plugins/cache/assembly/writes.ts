// SPDX-License-Identifier: MIT
// Writes that end in the cache, and whatever goes below at once: writes that have to, zeroes, trims.

import {
  CallFlag,
  complete,
  end,
  Errno,
  failWith,
  nextPwrite,
  nextTrim,
  nextZero,
  PENDING,
  taskOf,
  then,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, spanEnd } from "../../lib/blocks/assembly/map";
import { fetch } from "./fetches";
import { makeRoom, NOT_STORED, putIntoFile, stored } from "./file_writes";
import {
  enterPassing,
  Kind,
  leavePassing,
  movesEnded,
  Operation,
  TRIES_MAX,
  wait,
} from "./operations";
import {
  blockBits,
  blockMask,
  DIRTY,
  diskSize,
  evict,
  insert,
  lengthOf,
  limit,
  onDisk,
  remove,
  soil,
  touch,
  unitOf,
  used,
} from "./store";
import { isWriting, pump, writeAll } from "./writeback";

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

/** Puts a write into the cache, or has it wait, or go below. Returns PENDING or what became of it. */
export function write(one: Operation): i32 {
  const first = one.first;
  const last = one.last;
  const fits = last - first + 1 <= limit() >> 1;
  const cuts = cutsAbsent(first, last, one.offset, one.count);
  if (!fits || one.tries >= TRIES_MAX) return goThrough(one);
  if (cuts) {
    one.tries++;
    const came: bool = (!(cuts & 1) || fetch(one, first, first + 1)) &&
      (!(cuts & 2) || fetch(one, last, last + 1));
    if (one.fetches) return wait(one);
    if (one.errno) return one.errno;
    if (!came) return waitForRoom(one);
  }
  if (onDisk) return writeToFile(one);
  if (put(one.offset, one.count, one.data, true)) return 0;
  return waitForRoom(one);
}

function writeToFile(one: Operation): i32 {
  one.dirty = true;
  if (!makeRoom(one, true)) return waitForRoom(one);
  const status = putIntoFile(one, haveStored);
  return status == NOT_STORED ? goThrough(one) : status;
}

/** A piece has been put into the file, or not. */
function haveStored(at: i32, result: i32): void {
  const one = taskOf<Operation>(at);
  if (result && !one.errno) one.errno = result;
  if (--one.left) return;
  let status = stored(one);
  // What was written below before is there, whatever the file takes.
  if (status == NOT_STORED) status = one.dirty ? goThrough(one) : 0;
  conclude(one, status);
}

function goThrough(one: Operation): i32 {
  one.kind = Kind.Through;
  return passOn(one);
}

/** Nothing can be taken out as all is dirty: has it written. */
function waitForRoom(one: Operation): i32 {
  one.tries++;
  if (!isWriting()) writeAll();
  if (isWriting()) return wait(one);
  // That went without waiting, or not at all.
  if (evict(1) || used() < limit()) return write(one);
  return goThrough(one);
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

/** Has what is below changed. No others may touch the blocks meanwhile. */
export function passOn(one: Operation): i32 {
  then(one, passed);
  const handle = one.handle;
  const count = one.count;
  const offset = one.offset;
  const flags = one.flags;
  enterPassing(one);
  let status: i32;
  const at = token(one);
  if (one.kind == Kind.Zero) status = nextZero(handle, 0, count, offset, flags, at);
  else if (one.kind == Kind.Trim) status = nextTrim(handle, 0, count, offset, flags, at);
  else status = nextPwrite(handle, 0, one.data, count, offset, flags & CallFlag.Fua, at);
  return status == PENDING ? PENDING : hasPassed(one, status);
}

/** What is below has been changed, or not. */
export function passed(at: i32, result: i32): void {
  const one = taskOf<Operation>(at);
  conclude(one, hasPassed(one, result));
}

/** A request that was pending is over, unless `status` says that something is still to come. */
function conclude(one: Operation, status: i32): void {
  if (status == PENDING) return;
  const request = one.request;
  end(one);
  complete(request, status);
  pump();
  movesEnded();
}

/** What is below has changed, or may have: makes the cache agree with it. Returns PENDING or an errno. */
function hasPassed(one: Operation, errno: i32): i32 {
  leavePassing(one);
  if (!errno && one.kind == Kind.Through) return keep(one);
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
    } else if (isWhole || onDisk) remove(block);
    else memory.fill(unitOf(entry) + <usize>(from & blockMask), 0, <usize>(to - from));
    entryOf(block);
  }
  return errno;
}

/** Keeps what was written below in the cache as well, as far as that is possible. */
function keep(one: Operation): i32 {
  if (!onDisk) {
    put(one.offset, one.count, one.data, false);
    return 0;
  }
  one.dirty = false;
  makeRoom(one, false);
  const status = putIntoFile(one, haveStored);
  return status == NOT_STORED ? 0 : status;
}

/**
 * Zeroes below take blocks out of the cache file rather than change them there; so those at the ends must
 * not have changes outside of what becomes zero. Has them written first.
 */
export function cleanEdges(one: Operation): i32 {
  if (!hasDirtyEdge(one)) return passOn(one);
  if (!isWriting()) writeAll();
  if (isWriting()) return wait(one);
  // That went without waiting, or not at all.
  if (!hasDirtyEdge(one)) return passOn(one);
  return failWith(Errno.EIO, "cannot write zeroes: changes beside them could not be written back");
}

function hasDirtyEdge(one: Operation): bool {
  const stop = one.offset + one.count;
  const cutsFirst = (one.offset & blockMask) != 0 && (entryOf(one.first) & DIRTY) != 0;
  const cutsLast = (stop & blockMask) != 0 && stop != diskSize;
  return cutsFirst || (cutsLast && (entryOf(one.last) & DIRTY) != 0);
}
