// SPDX-License-Identifier: MIT
// Flushes: have all changes written that are there, wait for that, and have what is below flushed.

import {
  begin,
  complete,
  end,
  Errno,
  failWith,
  nextFlush,
  PENDING,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { isClean, takeFailure, writeAll } from "./writeback";

/** A flush that waits for changes of `age` and older. Without a request it is the filter's own. */
@unmanaged
class Flush extends Task {
  next: usize;
  request: i32;
  age: u32;
  errno: i32;
}

let ownHandle: i32 = -1;
let canFlush = false;
let flushes: usize = 0;

/** Flushes go through the filter's `own` handle, where what is below can do that. */
export function setUpFlushes(own: i32, flushesBelow: bool): void {
  ownHandle = own;
  canFlush = flushesBelow;
}

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

/** Ends the flushes that have waited for changes which are all below now. */
export function checkFlushes(): void {
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
