// SPDX-License-Identifier: MIT
// RAM disk of any size that takes memory only for what is written (README.md beside this folder).

import {
  CallFlag,
  DataFlag,
  Errno,
  extent,
  ExtentFlag,
  failWith,
  getSize,
  Info,
  replyData,
  reserve,
  setSize,
  Support,
} from "../../sdk/assemblyscript/assembly";
import { answerRead } from "../../lib/sparse/assembly/answer";
import {
  createStore,
  discard,
  provision,
  resident,
  runLength,
  runPointer,
  scan,
  write,
} from "../../lib/sparse/assembly/store";

export { sb_alloc, sb_free, sb_open, sb_size } from "../../sdk/assemblyscript/assembly";

/** Address space that data never takes, so that a full disk can still be read and trimmed. */
const HOST_RESERVE: usize = 64 << 20;
/** Extents in one answer; the client asks again for what lies behind. */
const EXTENTS_MAX: u32 = 4096;

export function sb_param_int(index: i32, value: i64): void {
  setSize(value);
}

export function sb_ready(): i32 {
  reserve(HOST_RESERVE);
  return createStore(getSize()) ? 0 : failWith(Errno.ENOMEM, "cannot set up the disk: no memory");
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.fastZero = Support.Native;
  info.cache = Support.Native;
  info.multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const pointer = resident(offset, count);
  if (pointer) {
    replyData(request, 0, pointer, count, DataFlag.Stable);
    return 0;
  }
  return answerRead(request, count, offset);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return write(offset, count, data) ? 0 : full();
}

/** Data of writes is received where it belongs, if that is there and in one piece. */
export function sb_place(handle: i32, count: u64, offset: u64): usize {
  scan(offset, offset + count);
  return runLength == count ? runPointer : 0;
}

/** What is written is as safe as it gets when `sb_pwrite` returns. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  discard(offset, count);
  return 0;
}

/** Blocks are made zero before they are free, so that nothing is left of them in memory. */
export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  discard(offset, count);
  return 0;
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (!(flags & CallFlag.MayTrim)) return provision(offset, count) ? 0 : full();
  discard(offset, count);
  return 0;
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  let left = flags & CallFlag.ReqOne ? 1 : EXTENTS_MAX;
  for (let at = offset; at < end && left; left--) {
    scan(at, end);
    const present = runPointer != 0;
    let length = runLength;
    // Frames of one extent need not be neighbours in memory.
    while (present && at + length < end) {
      scan(at + length, end);
      if (!runPointer) break;
      length += runLength;
    }
    extent(request, length, present ? ExtentFlag.Data : ExtentFlag.HoleZero);
    at += length;
  }
  return 0;
}

function full(): i32 {
  return failWith(Errno.ENOSPC, "cannot store data: the memory of the plugin is used up");
}
