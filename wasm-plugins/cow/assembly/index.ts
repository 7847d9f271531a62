// SPDX-License-Identifier: MIT
// Copy on write (README.md beside this folder): blocks that were written lie in memory, all others are
// read from below. A write of part of a block brings in the rest of it from below first.

import {
  alloc,
  closeHandle,
  complete,
  DataFlag,
  Errno,
  failWith,
  free,
  Info,
  nextForward,
  nextPread,
  nextSize,
  openHandle,
  PENDING,
  replyData,
  reserve,
  Support,
} from "../../sdk/assemblyscript/assembly";
import {
  BLOCK_BYTES,
  createStore,
  resident,
  runLength,
  runPointer,
  scan,
  write,
} from "../../lib/sparse/assembly/store";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Address space that data never takes, so that a full overlay can still be read. */
const HOST_RESERVE: usize = 64 << 20;
const BLOCK: u64 = BLOCK_BYTES;

/** Size of the disk; -1: not known yet. All clients see the same overlay, so there is one export. */
let size: i64 = -1;
let exportName: usize = 0;
let exportNameLength: usize = 0;

/** A write that waits for its first or last block; these lie behind it. */
@unmanaged
class Waiting {
  request: i32;
  left: i32;
  errno: i32;
  data: usize;
  count: u64;
  offset: u64;
  /** Where the blocks begin that are brought in, and whether they are wanted. */
  head: u64;
  tail: u64;
  wanted: i32;
}

const HEAD: i32 = 1;
const TAIL: i32 = 2;

function waitingBytes(): usize {
  return ((offsetof<Waiting>() + 15) & ~15) + 2 * <usize>BLOCK;
}

function buffer(pointer: usize, which: i32): usize {
  return pointer + ((offsetof<Waiting>() + 15) & ~15) + (which == TAIL ? <usize>BLOCK : 0);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (size < 0) {
    if (nameLength) {
      exportName = alloc(nameLength, 1);
      if (!exportName) return -Errno.ENOMEM;
      memory.copy(exportName, name, nameLength);
    }
    exportNameLength = nameLength;
  } else if (nameLength != exportNameLength || memory.compare(name, exportName, nameLength)) {
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
    reserve(HOST_RESERVE);
    if (!createStore(nextSize(handle, 0))) {
      return -failWith(Errno.ENOMEM, "cannot set up the overlay: no memory");
    }
    size = nextSize(handle, 0);
  }
  return size;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  let pending = false;
  for (let at = offset; at < end; at += runLength) {
    scan(at, end);
    if (runPointer) {
      replyData(request, at - offset, runPointer, runLength, DataFlag.Stable);
      continue;
    }
    const status = nextForward(request, 0, at - offset, runLength, at, flags, 0);
    if (status == PENDING) pending = true;
    else if (status) return status;
  }
  return pending ? PENDING : 0;
}

/** Brings in a block. Returns what nextPread does. */
function fetch(handle: i32, pointer: usize, which: i32, block: u64): i32 {
  const length = min(BLOCK, <u64>size - block);
  return nextPread(handle, 0, buffer(pointer, which), length, block, 0, <i32>(pointer | which));
}

/** Whether the block at `block` has to be brought in before part of it is written. */
function isMissing(block: u64): bool {
  return !resident(block, min(BLOCK, <u64>size - block));
}

function full(): i32 {
  return failWith(Errno.ENOSPC, "cannot store changes: the memory of the filter is used up");
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const end = offset + count;
  const head = offset & ~(BLOCK - 1);
  const tail = (end - 1) & ~(BLOCK - 1);
  let wanted = 0;
  if (head != offset || (head == tail && end != head + BLOCK && end != size)) {
    if (isMissing(head)) wanted |= HEAD;
  }
  if (tail != head && end != tail + BLOCK && end != size && isMissing(tail)) wanted |= TAIL;
  if (!wanted) return write(offset, count, data) ? 0 : full();
  const pointer = alloc(waitingBytes(), 16);
  if (!pointer) return full();
  const waiting = changetype<Waiting>(pointer);
  waiting.request = request;
  waiting.left = 0;
  waiting.errno = 0;
  waiting.data = data;
  waiting.count = count;
  waiting.offset = offset;
  waiting.head = head;
  waiting.tail = tail;
  waiting.wanted = wanted;
  if (wanted & HEAD) fetched(waiting, fetch(handle, pointer, HEAD, head));
  if (wanted & TAIL) fetched(waiting, fetch(handle, pointer, TAIL, tail));
  return waiting.left ? PENDING : finish(pointer);
}

function fetched(waiting: Waiting, status: i32): void {
  if (status == PENDING) waiting.left++;
  else if (status) waiting.errno = status;
}

export function sb_done(token: i32, result: i32): void {
  const pointer = <usize>token & ~15;
  const waiting = changetype<Waiting>(pointer);
  if (result) waiting.errno = result;
  if (--waiting.left) return;
  const request = waiting.request;
  complete(request, finish(pointer));
}

/** Puts the blocks and then the data over them into memory. */
function finish(pointer: usize): i32 {
  const waiting = changetype<Waiting>(pointer);
  let errno = waiting.errno;
  if (!errno && waiting.wanted & HEAD) errno = place(pointer, HEAD, waiting.head);
  if (!errno && waiting.wanted & TAIL) errno = place(pointer, TAIL, waiting.tail);
  if (!errno && !write(waiting.offset, waiting.count, waiting.data)) errno = full();
  free(pointer, waitingBytes());
  return errno;
}

function place(pointer: usize, which: i32, block: u64): i32 {
  // Another write may have brought it in meanwhile, and changed it.
  if (!isMissing(block)) return 0;
  return write(block, min(BLOCK, <u64>size - block), buffer(pointer, which)) ? 0 : full();
}

/** What is written is as safe as it gets. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}
