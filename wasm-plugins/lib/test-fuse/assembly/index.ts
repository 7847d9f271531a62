// SPDX-License-Identifier: MIT
// A device that can be broken while it is served, for tests: the last 4096 bytes of what is below are not
// part of it. Their first byte says, bit by bit, which commands fail, the second one with which errno. A
// test changes them in the file below.

import {
  begin,
  complete,
  end,
  Errno,
  nextForward,
  nextPread,
  nextSize,
  PENDING,
  Task,
  taskOf,
  token,
} from "../../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../../sdk/assemblyscript/assembly";

const CONTROL_BYTES: u64 = 4096;

const enum Command {
  Read = 1,
  Write = 2,
  Flush = 4,
  Trim = 8,
  Zero = 16,
  Extents = 32,
}

@unmanaged
class Request extends Task {
  request: i32;
  command: i32;
  flags: i32;
  count: u64;
  offset: u64;
  /** What the last block begins with. */
  control: u32;
}

export function sb_size(handle: i32): i64 {
  return nextSize(handle, 0) - CONTROL_BYTES;
}

/** Looks at what is to fail, and then fails or forwards. */
function judge(handle: i32, request: i32, command: i32, count: u64, offset: u64, flags: i32): i32 {
  const one = begin<Request>(looked);
  if (!one) return Errno.ENOMEM;
  one.request = request;
  one.command = command;
  one.flags = flags;
  one.count = count;
  one.offset = offset;
  const at = <u64>nextSize(handle, 0) - CONTROL_BYTES;
  const address = changetype<usize>(one) + offsetof<Request>("control");
  const status = nextPread(handle, 0, address, 4, at, 0, token(one));
  return status == PENDING ? PENDING : go(one, status);
}

function looked(token: i32, result: i32): void {
  const one = taskOf<Request>(token);
  const request = one.request;
  const status = go(one, result);
  if (status != PENDING) complete(request, status);
}

function go(one: Request, result: i32): i32 {
  const request = one.request;
  const flags = one.flags;
  const count = one.count;
  const offset = one.offset;
  const control = one.control;
  const command = one.command;
  end(one);
  if (result) return result;
  if (control & command) return control >> 8 & 255;
  return nextForward(request, 0, 0, count, offset, flags, 0);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return judge(handle, request, Command.Read, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return judge(handle, request, Command.Write, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return judge(handle, request, Command.Flush, 0, 0, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return judge(handle, request, Command.Trim, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return judge(handle, request, Command.Zero, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return judge(handle, request, Command.Extents, count, offset, flags);
}
