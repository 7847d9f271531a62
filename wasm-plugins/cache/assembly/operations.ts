// SPDX-License-Identifier: MIT
// Requests that may have to wait: for blocks on their way, for room, or for what is below. Those that
// wait stand in one line and are all tried again whenever something has ended.

import {
  begin,
  complete,
  end,
  Errno,
  failWith,
  PENDING,
  Task,
} from "../../sdk/assemblyscript/assembly";
import { checkFlushes } from "./flushes";
import { fetchMissing, read } from "./reads";
import { anyOnItsWay, blockBits, onDisk } from "./store";
import { cleanEdges, passed, passOn, write } from "./writes";

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
export const TRIES_MAX: i32 = 3;

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
  /** Parts of it that are under way: forwarded, or in the cache file. */
  left: i32;
  errno: i32;
  /** Pieces that it fetches and that are on their way. */
  fetches: i32;
  /** What it puts into the cache file is not below yet. */
  dirty: bool;
}

let firstWaiting: usize = 0;
let lastWaiting: usize = 0;
/** Requests that are changing what is below, or the cache file, now; linked by `next`. */
let passing: usize = 0;

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
  else if (one.kind == Kind.Zero && onDisk) status = cleanEdges(one);
  else status = passOn(one);
  if (status != PENDING) end(one);
  return status;
}

/** Whether blocks are on their way, or are being changed. */
export function isInTheWay(first: u64, last: u64): bool {
  return anyOnItsWay(first, last) || isPassing(first, last);
}

/** Whether some of the blocks are being changed, so that none of it may go below otherwise. */
export function isPassing(first: u64, last: u64): bool {
  for (let at = passing; at; at = changetype<Operation>(at).next) {
    const other = changetype<Operation>(at);
    if (first <= other.last && last >= other.first) return true;
  }
  return false;
}

/** The blocks of `one` are being changed from now on. */
export function enterPassing(one: Operation): void {
  one.next = passing;
  passing = changetype<usize>(one);
}

/** They are not any more. */
export function leavePassing(one: Operation): void {
  let before: usize = 0;
  for (let at = passing; at != changetype<usize>(one); at = changetype<Operation>(at).next) {
    before = at;
  }
  if (before) changetype<Operation>(before).next = one.next;
  else passing = one.next;
}

/** Puts it at the end of the line. */
export function wait(one: Operation): i32 {
  one.next = 0;
  if (lastWaiting) changetype<Operation>(lastWaiting).next = changetype<usize>(one);
  else firstWaiting = changetype<usize>(one);
  lastWaiting = changetype<usize>(one);
  return PENDING;
}

/** Something has ended: tries again what waits. */
export function resumeWaiting(): void {
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
