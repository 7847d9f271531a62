// SPDX-License-Identifier: MIT
// Reads of any place: whole blocks are answered by the device, of the first and the last one, where these
// are wanted in part, the part is copied out of what was read.

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
  PENDING,
  replyBuffer,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { Limits } from "./limits";

/** A read on its way. */
@unmanaged
class Reading extends Join {
  request: i32;
  handle: i32;
  block: usize;
  /** Blocks that are wanted in part: where they are, where the part goes, which part it is. */
  head: usize;
  headTo: usize;
  headFrom: usize;
  headBytes: usize;
  tail: usize;
  tailTo: usize;
  tailBytes: usize;
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot read a part of a block: no memory");
}

/** Reads what is not whole blocks, or too much at a time. */
export function readParts(
  limits: Limits,
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const one = begin<Reading>(haveRead);
  if (!one) return noMemory();
  one.request = request;
  one.handle = handle;
  one.block = <usize>limits.block;
  const mask = limits.block - 1;
  const limit = offset + count;
  let at = offset;
  if (at & mask || limit - at < limits.block) at = readHead(one, at, limit, mask);
  const tail = max(limit & ~mask, at);
  while (at < tail && !one.errno) {
    const length = min(tail - at, limits.data);
    add(one, nextForward(request, 0, at - offset, length, at, flags, token(one)));
    at += length;
  }
  if (at < limit && !one.errno) readTail(one, at, at - offset, limit - at);
  return one.left ? PENDING : finish(one);
}

/** Reads the block in which the request begins. Returns where that, or the request, ends. */
function readHead(one: Reading, offset: u64, limit: u64, mask: u64): u64 {
  const start = offset & ~mask;
  const stop = min(start + mask + 1, limit);
  one.headFrom = <usize>(offset - start);
  one.headBytes = <usize>(stop - offset);
  one.headTo = replyBuffer(one.request, 0, one.headBytes);
  one.head = alloc(one.block, 16);
  if (!one.head || !one.headTo) one.errno = noMemory();
  else add(one, nextPread(one.handle, 0, one.head, one.block, start, 0, token(one)));
  return stop;
}

/** Reads the block in which the request ends. */
function readTail(one: Reading, start: u64, at: u64, bytes: u64): void {
  one.tailBytes = <usize>bytes;
  one.tailTo = replyBuffer(one.request, at, bytes);
  one.tail = alloc(one.block, 16);
  if (!one.tail || !one.tailTo) one.errno = noMemory();
  else add(one, nextPread(one.handle, 0, one.tail, one.block, start, 0, token(one)));
}

function haveRead(token: i32, result: i32): void {
  const one = taskOf<Reading>(token);
  if (!arrived(one, result)) return;
  const request = one.request;
  complete(request, finish(one));
}

function finish(one: Reading): i32 {
  const errno = one.errno;
  if (!errno && one.head) memory.copy(one.headTo, one.head + one.headFrom, one.headBytes);
  if (!errno && one.tail) memory.copy(one.tailTo, one.tail, one.tailBytes);
  if (one.head) free(one.head, one.block);
  if (one.tail) free(one.tail, one.block);
  end(one);
  return errno;
}
