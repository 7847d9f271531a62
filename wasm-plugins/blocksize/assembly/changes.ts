// SPDX-License-Identifier: MIT
// Writes and requests that write zeroes, at any place. Of blocks that they change in part the rest is read
// first; while that lasts, no other change of the same block may begin, or it would be lost. So changes
// stand in a row, in their order, and wait for those in front of them that they must not overtake.

import {
  add,
  alloc,
  arrived,
  begin,
  complete,
  end,
  Errno,
  failWith,
  free,
  Join,
  nextForward,
  nextPread,
  nextPwrite,
  nextZero,
  payload,
  PENDING,
  taskOf,
  then,
  token,
} from "../../sdk/assemblyscript/assembly";
import { Limits } from "./limits";
import { WINDOW } from "./steps";

/** A change on its way, or in the row. */
@unmanaged
class Change extends Join {
  request: i32;
  handle: i32;
  flags: i32;
  /** It is a write; otherwise zeroes. */
  writes: bool;
  /** It has not begun. */
  waits: bool;
  offset: u64;
  count: u64;
  /** The most that is passed on at a time. */
  step: u64;
  block: u32;
  /** What is passed on: from where on it is not yet, and its end. */
  at: u64;
  stop: u64;
  /** Blocks that it changes in part; 0: none. */
  head: usize;
  tail: usize;
  /** The row. */
  before: usize;
  next: usize;
}

let first: usize = 0;
let last: usize = 0;

/** Where its first block begins. */
function startOf(one: Change): u64 {
  return one.offset & ~(<u64>one.block - 1);
}

/** Where its last block ends. */
function stopOf(one: Change): u64 {
  const mask = <u64>one.block - 1;
  return (one.offset + one.count + mask) & ~mask;
}

/** It changes blocks in part. */
function isPartial(one: Change): bool {
  return one.head != 0 || one.tail != 0;
}

/** Whether a change in front of `one` must be over before it begins. */
function mustWait(one: Change): bool {
  for (let at = one.before; at; at = changetype<Change>(at).before) {
    const other = changetype<Change>(at);
    if (!isPartial(one) && !isPartial(other)) continue;
    if (startOf(one) < stopOf(other) && startOf(other) < stopOf(one)) return true;
  }
  return false;
}

/** Makes a change, as soon as it may be. */
export function change(
  limits: Limits,
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  writes: bool,
): i32 {
  const one = begin<Change>(haveBlocks);
  if (!one) return noMemory();
  one.request = request;
  one.handle = handle;
  one.flags = flags;
  one.writes = writes;
  one.offset = offset;
  one.count = count;
  one.step = writes ? limits.data : limits.length;
  one.block = <u32>limits.block;
  if (!takeBlocks(one)) {
    dropBlocks(one);
    end(one);
    return noMemory();
  }
  const pointer = changetype<usize>(one);
  one.before = last;
  if (last) changetype<Change>(last).next = pointer;
  else first = pointer;
  last = pointer;
  one.waits = mustWait(one);
  return one.waits ? PENDING : start(one);
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot change a part of a block: no memory");
}

/** Gets memory for the blocks that are changed in part. */
function takeBlocks(one: Change): bool {
  const mask = <u64>one.block - 1;
  const limit = one.offset + one.count;
  const inOne = startOf(one) == ((limit - 1) & ~mask);
  if (one.offset & mask || (inOne && limit & mask)) {
    one.head = alloc(one.block, 16);
    if (!one.head) return false;
  }
  if (limit & mask && !inOne) {
    one.tail = alloc(one.block, 16);
    if (!one.tail) return false;
  }
  return true;
}

function dropBlocks(one: Change): void {
  if (one.head) free(one.head, one.block);
  if (one.tail) free(one.tail, one.block);
}

/** Where the block is in which it ends. */
function tailStart(one: Change): u64 {
  return (one.offset + one.count) & ~(<u64>one.block - 1);
}

/** Begins: reads the blocks that are changed in part. */
function start(one: Change): i32 {
  const block = <u64>one.block;
  if (one.head) add(one, nextPread(one.handle, 0, one.head, block, startOf(one), 0, token(one)));
  if (one.tail) add(one, nextPread(one.handle, 0, one.tail, block, tailStart(one), 0, token(one)));
  return one.left ? PENDING : write(one);
}

function haveBlocks(token: i32, result: i32): void {
  const one = taskOf<Change>(token);
  if (!arrived(one, result)) return;
  tell(one.request, write(one));
}

/** Changes the blocks that are changed in part and writes them, then passes on what is between. */
function write(one: Change): i32 {
  if (one.errno) return finish(one);
  then(one, haveWritten);
  const limit = one.offset + one.count;
  const block = <u64>one.block;
  one.at = one.offset;
  one.stop = one.tail ? tailStart(one) : limit;
  if (one.head) {
    const stop = min(startOf(one) + block, limit);
    fill(one, one.head + <usize>(one.at - startOf(one)), 0, <usize>(stop - one.at));
    add(one, nextPwrite(one.handle, 0, one.head, block, startOf(one), fua(one), token(one)));
    one.at = stop;
  }
  if (one.tail && !one.errno) {
    fill(one, one.tail, one.stop - one.offset, <usize>(limit - one.stop));
    add(one, nextPwrite(one.handle, 0, one.tail, block, one.stop, fua(one), token(one)));
  }
  return goOn(one);
}

/** Passes on what is between: all of a write, some steps of zeroes at a time, as there may be very many. */
function goOn(one: Change): i32 {
  while (one.at < one.stop && !one.errno) {
    for (let i = 0; (one.writes || i < WINDOW) && one.at < one.stop && !one.errno; i++) {
      const length = min(one.stop - one.at, one.step);
      const at = one.at;
      one.at += length;
      add(one, ask(one, length, at));
    }
    if (one.left) return PENDING;
  }
  return one.left ? PENDING : finish(one);
}

function ask(one: Change, length: u64, at: u64): i32 {
  if (one.writes || length == one.count) {
    return nextForward(one.request, 0, at - one.offset, length, at, one.flags, token(one));
  }
  return nextZero(one.handle, 0, length, at, one.flags, token(one));
}

/** Requests that write zeroes have flags that writes do not have. */
function fua(one: Change): i32 {
  return one.flags & 1;
}

/** What is to be written there: of the payload, from `at` on, or zeroes. */
function fill(one: Change, pointer: usize, at: u64, count: usize): void {
  if (one.writes) payload(one.request, at, pointer, count);
  else memory.fill(pointer, 0, count);
}

function haveWritten(token: i32, result: i32): void {
  const one = taskOf<Change>(token);
  if (!arrived(one, result)) return;
  tell(one.request, goOn(one));
}

function tell(request: i32, status: i32): void {
  if (status != PENDING) complete(request, status);
}

/** It is over: takes it out of the row, and lets those begin that waited for it. */
function finish(one: Change): i32 {
  const errno = one.errno;
  const next = one.next;
  if (one.before) changetype<Change>(one.before).next = next;
  else first = next;
  if (next) changetype<Change>(next).before = one.before;
  else last = one.before;
  dropBlocks(one);
  end(one);
  letGo(next);
  return errno;
}

/** How deep `letGo` is in itself, when what it lets go is over at once. */
let depth: i32 = 0;
/** Something in the row was over meanwhile: look again. */
let again: bool = false;

/** Begins what need not wait any more, from `from` in the row on. */
function letGo(from: usize): void {
  if (depth) {
    again = true;
    return;
  }
  depth = 1;
  let at = from;
  while (at) {
    const one = changetype<Change>(at);
    at = one.next;
    if (!one.waits || mustWait(one)) continue;
    one.waits = false;
    again = false;
    tell(one.request, start(one));
    // What has ended may have been what `at` was about to follow.
    if (again) at = first;
  }
  depth = 0;
}
