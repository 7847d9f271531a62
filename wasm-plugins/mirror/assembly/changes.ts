// SPDX-License-Identifier: MIT
// What changes the disk goes to all devices in use, from the same payload. Changes of the same bytes
// follow one after the other, so that all devices end with the same, and wait while these are copied.

import {
  begin,
  CallFlag,
  complete,
  end,
  Errno,
  failWith,
  nextCount,
  nextForward,
  PENDING,
  Task,
} from "../../sdk/assemblyscript/assembly";
import { beginFlush, countFailure, device, endFlush, lose, noteChange, State, upTo } from "./devices";
import { addRange } from "./regions";
import { changeEnded, isCopying, wakeRejoin } from "./resync";

export const enum Kind {
  Write = 0,
  Flush = 1,
}

/** A change that is under way or waits. They form a list in the order of their coming. */
@unmanaged
class Change extends Task {
  request: i32;
  flags: i32;
  kind: i32;
  count: u64;
  offset: u64;
  previous: usize;
  next: usize;
  started: bool;
  /** A flush that makes safe what was written before it. */
  settles: bool;
  /** Devices that have not answered yet, that have done it, and that have failed. */
  left: i32;
  done: u32;
  failed: u32;
  errno: i32;
}

let first: usize = 0;
let last: usize = 0;
let waiting: i32 = 0;

/** The low bits of a token say which device it is about. */
const DEVICE_MASK: usize = 15;

/** Begins a change of `count` bytes; returns what the function for it is to return. */
export function change(request: i32, count: u64, offset: u64, flags: i32, kind: i32): i32 {
  const one = begin<Change>(answered);
  if (!one) return failWith(Errno.ENOMEM, "cannot mirror the request: no memory");
  one.request = request;
  one.flags = flags;
  one.kind = kind;
  one.count = count;
  one.offset = offset;
  const mayStart = !(first && overlapsUpTo(one, 0)) && !isCopying(offset, count);
  const status = mayStart ? start(one) : PENDING;
  if (status != PENDING) {
    end(one);
    return status;
  }
  if (!mayStart) waiting++;
  append(one);
  return PENDING;
}

/** Whether a change in the list in front of `stop` (0: any) has bytes in common with `one`. */
function overlapsUpTo(one: Change, stop: usize): bool {
  if (!one.count) return false;
  for (let at = first; at != stop; at = changetype<Change>(at).next) {
    const other = changetype<Change>(at);
    if (overlap(other, one.offset, one.count)) return true;
  }
  return false;
}

// @ts-ignore: decorator
@inline
function overlap(one: Change, offset: u64, count: u64): bool {
  return one.offset < offset + count && offset < one.offset + one.count;
}

/** Whether a change of these bytes is under way. */
export function isChanging(offset: u64, count: u64): bool {
  for (let at = first; at; at = changetype<Change>(at).next) {
    const one = changetype<Change>(at);
    if (one.started && overlap(one, offset, count)) return true;
  }
  return false;
}

/** Asks all devices in use. Returns 0, an errno or PENDING. */
function start(one: Change): i32 {
  one.started = true;
  if (one.kind == Kind.Flush) startFlush(one);
  else noteChange(one.offset, one.count);
  ask(one, upTo(State.Behind));
  return one.left ? PENDING : conclude(one);
}

/** What is still under way may miss the flush, so it counts as written after it. */
function startFlush(one: Change): void {
  one.settles = beginFlush();
  for (let at = first; one.settles && at; at = changetype<Change>(at).next) {
    const other = changetype<Change>(at);
    if (other.started) noteChange(other.offset, other.count);
  }
}

function ask(one: Change, targets: u32): void {
  for (let child = 0; child < nextCount(); child++) {
    if (!(targets & (1 << child))) continue;
    const token = <i32>(changetype<usize>(one) | <usize>child);
    const status = nextForward(one.request, child, 0, one.count, one.offset, one.flags, token);
    if (status == PENDING) one.left++;
    else note(one, child, status);
  }
}

function note(one: Change, child: i32, status: i32): void {
  if (!status) one.done |= 1 << child;
  else {
    one.failed |= 1 << child;
    one.errno = status;
    if (!(one.flags & CallFlag.FastZero)) countFailure();
  }
}

function answered(token: i32, result: i32): void {
  const one = changetype<Change>(<usize>token & ~DEVICE_MASK);
  note(one, <i32>(<usize>token & DEVICE_MASK), result);
  if (--one.left) return;
  const status = conclude(one);
  if (status == PENDING) return;
  const request = one.request;
  remove(one);
  complete(request, status);
  if (waiting) startWaiting();
  changeEnded();
}

/** All devices have answered: what becomes of the change, and of those that have failed it. */
function conclude(one: Change): i32 {
  const insync = upTo(State.InSync);
  if (one.failed && one.done && one.flags & CallFlag.FastZero && one.errno == Errno.EOPNOTSUPP) {
    // Some have zeroed already: now the others have to, as slow as it may be.
    const again = one.failed;
    one.failed = 0;
    one.flags &= ~CallFlag.FastZero;
    ask(one, again);
    if (one.left) return PENDING;
  }
  const succeeded = (one.done & insync) != 0;
  if (one.failed || !succeeded) judge(one, succeeded);
  if (one.kind == Kind.Flush) endFlush(one.settles && succeeded);
  if (succeeded) return 0;
  return one.errno ? one.errno : <i32>Errno.EIO;
}

/** Leaves out what has failed alone; what all devices fail is the request's own error. */
function judge(one: Change, succeeded: bool): void {
  for (let child = 0; child < nextCount(); child++) {
    const bit: u32 = 1 << child;
    const behind = device(child).state == State.Behind;
    if (succeeded && one.failed & bit) {
      lose(child, one.errno, one.kind == Kind.Flush ? "a flush" : "a change");
    } else if (succeeded || !behind) continue;
    if (one.count && device(child).stale) addRange(device(child).stale, one.offset, one.count);
  }
  if (succeeded) wakeRejoin();
}

function startWaiting(): void {
  for (let at = first; at && waiting;) {
    const one = changetype<Change>(at);
    at = one.next;
    if (one.started || overlapsUpTo(one, changetype<usize>(one))) continue;
    if (isCopying(one.offset, one.count)) continue;
    waiting--;
    const status = start(one);
    if (status == PENDING) continue;
    const request = one.request;
    remove(one);
    complete(request, status);
    // It may have been in the way of one that comes later; that is further on in the list.
  }
}

/** What was being copied is copied: changes of it may go on. */
export function copied(): void {
  if (waiting) startWaiting();
}

function append(one: Change): void {
  const pointer = changetype<usize>(one);
  one.previous = last;
  one.next = 0;
  if (last) changetype<Change>(last).next = pointer;
  else first = pointer;
  last = pointer;
}

function remove(one: Change): void {
  if (one.previous) changetype<Change>(one.previous).next = one.next;
  else first = one.next;
  if (one.next) changetype<Change>(one.next).previous = one.previous;
  else last = one.previous;
  end(one);
}
