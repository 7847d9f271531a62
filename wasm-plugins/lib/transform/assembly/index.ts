// SPDX-License-Identifier: MIT
// For filters that store every byte in another form, of the same size and at the same place: reads are
// made below and turned back, writes are turned and made below.

import {
  alloc,
  begin,
  complete,
  end,
  Errno,
  failWith,
  free,
  Info,
  infoOf,
  nextPread,
  nextPwrite,
  PENDING,
  replyBuffer,
  Support,
  Task,
  taskOf,
  token,
} from "../../../sdk/assemblyscript/assembly";

/** A read or write on its way. */
@unmanaged
class Work extends Task {
  request: i32;
  data: usize;
  count: usize;
  offset: u64;
}

/** The functions that turn bytes, by their places in the table. */
let turn: u32 = 0;
let turnBack: u32 = 0;

/** Sets what happens to `count` bytes at `data` that belong at `offset`: on the way down, and up. */
export function setTransform(
  down: (data: usize, count: usize, offset: u64) => void,
  up: (data: usize, count: usize, offset: u64) => void,
): void {
  turn = down.index;
  turnBack = up.index;
}

/** Declares what follows from writes being made below, with their flags. For `sb_info`. */
export function declareTransform(info: Info, handle: i32): void {
  const durable = info.write != Support.None && infoOf(handle, 0).fua != Support.None;
  info.fua = durable ? Support.Native : Support.None;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const data = replyBuffer(request, 0, count);
  const work = data ? begin<Work>(haveRead) : null;
  if (!work) return failWith(Errno.ENOMEM, "cannot read: there is no memory in the filter");
  work.request = request;
  work.data = data;
  work.count = <usize>count;
  work.offset = offset;
  const status = nextPread(handle, 0, data, count, offset, flags, token(work));
  return status == PENDING ? PENDING : read(work, status);
}

function haveRead(token: i32, result: i32): void {
  const request = taskOf<Work>(token).request;
  complete(request, read(taskOf<Work>(token), result));
}

function read(work: Work, result: i32): i32 {
  if (!result) call_indirect(turnBack, work.data, work.count, work.offset);
  end(work);
  return result;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const length = <usize>count;
  const copy = alloc(length, 16);
  const work = copy ? begin<Work>(haveWritten) : null;
  if (!work) {
    if (copy) free(copy, length);
    return failWith(Errno.ENOMEM, "cannot write: there is no memory in the filter");
  }
  memory.copy(copy, data, length);
  call_indirect(turn, copy, length, offset);
  work.request = request;
  work.data = copy;
  work.count = length;
  const status = nextPwrite(handle, 0, copy, count, offset, flags, token(work));
  return status == PENDING ? PENDING : written(work, status);
}

function haveWritten(token: i32, result: i32): void {
  const request = taskOf<Work>(token).request;
  complete(request, written(taskOf<Work>(token), result));
}

function written(work: Work, result: i32): i32 {
  free(work.data, work.count);
  end(work);
  return result;
}
