// SPDX-License-Identifier: MIT
// Makes requests of any place and size fit the device below (README.md beside this folder). What fits is
// passed on as it is.

import {
  begin,
  CallFlag,
  closeHandle,
  complete,
  contextOf,
  end,
  Errno,
  extent,
  ExtentFlag,
  ExtentList,
  failWith,
  free,
  Info,
  infoOf,
  nextExtents,
  nextForward,
  nextSize,
  openHandle,
  pass,
  PENDING,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { change } from "./changes";
import { Limits, makeLimits, NONE, setLimits } from "./limits";
import { readParts } from "./reads";
import { Kind, takeSteps } from "./steps";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";
export { sb_param_int, sb_ready } from "./limits";

/** A question about extents. */
@unmanaged
class Question extends Task {
  request: i32;
  /** Bytes in front of what was asked about. */
  skip: u64;
  count: u64;
  list: usize;
}

const EXTENTS: u32 = 256;
/** Parts that the host takes for one request. */
const PARTS_MAX: u64 = 4096;

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const limits = makeLimits();
  const handle = limits ? openHandle(<u32>limits) : -1;
  return handle < 0 ? -Errno.ENOMEM : handle;
}

export function sb_close(handle: i32): void {
  free(<usize>contextOf(handle), offsetof<Limits>());
  closeHandle(handle);
}

// @ts-ignore: decorator
@inline
function limitsOf(handle: i32): Limits {
  return changetype<Limits>(<usize>contextOf(handle));
}

export function sb_info(handle: i32, out: usize): i32 {
  const errno = setLimits(limitsOf(handle), infoOf(handle, 0));
  if (errno) return errno;
  const info = changetype<Info>(out);
  info.blockMinimum = 1;
  // One request may be passed on in so many parts, and then there are two more for its ends.
  const most = limitsOf(handle).data * (PARTS_MAX - 2);
  info.blockMaximum = most >= NONE ? NONE : <u32>most;
  info.blockPreferred = max(info.blockPreferred, <u32>limitsOf(handle).block);
  while (info.blockPreferred > info.blockMaximum) info.blockPreferred >>= 1;
  return 0;
}

/** A part of a block at the end cannot be used. */
export function sb_size(handle: i32): i64 {
  return nextSize(handle, 0) & ~(<i64>limitsOf(handle).block - 1);
}

/** Whether a range consists of whole blocks. */
// @ts-ignore: decorator
@inline
function isWhole(limits: Limits, count: u64, offset: u64): bool {
  return ((count | offset) & (limits.block - 1)) == 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const limits = limitsOf(handle);
  if (count <= limits.data && isWhole(limits, count, offset)) {
    return pass(request, count, offset, flags);
  }
  return readParts(limits, handle, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const limits = limitsOf(handle);
  // Without blocks nothing is ever changed in part, so nothing has to wait.
  if (limits.block == 1 && count <= limits.data) return pass(request, count, offset, flags);
  return change(limits, handle, request, count, offset, flags, true);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const limits = limitsOf(handle);
  if (limits.block == 1 && count <= limits.length) return pass(request, count, offset, flags);
  if (flags & CallFlag.FastZero && !isWhole(limits, count, offset)) {
    return failWith(Errno.EOPNOTSUPP, "zeroing a part of a block takes as long as writing it");
  }
  return change(limits, handle, request, count, offset, flags, false);
}

/** Only whole blocks are trimmed: nobody relies on it. */
export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const limits = limitsOf(handle);
  const mask = limits.block - 1;
  const start = (offset + mask) & ~mask;
  const stop = (offset + count) & ~mask;
  if (start >= stop) return 0;
  if (stop - start > limits.length) {
    return takeSteps(Kind.Trim, handle, request, start, stop, flags, limits.length);
  }
  return nextForward(request, 0, start - offset, stop - start, start, flags, 0);
}

/** Blocks are cached as a whole. */
export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const limits = limitsOf(handle);
  if (count <= limits.length && isWhole(limits, count, offset)) {
    return pass(request, count, offset, flags);
  }
  const mask = limits.block - 1;
  const stop = (offset + count + mask) & ~mask;
  return takeSteps(Kind.Cache, handle, request, offset & ~mask, stop, flags, limits.length);
}

/** An answer about the beginning is enough; where that is within a block, its start is left out. */
export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const limits = limitsOf(handle);
  const mask = limits.block - 1;
  if (!(offset & mask) && !(count & mask)) {
    return pass(request, min(count, limits.length), offset, flags);
  }
  const list = ExtentList.create(EXTENTS);
  const question = list ? begin<Question>(haveExtents) : null;
  if (!question) {
    if (list) list.drop();
    return failWith(Errno.ENOMEM, "cannot ask about a part of a block: no memory");
  }
  const start = offset & ~mask;
  const whole = ((offset + count + mask) & ~mask) - start;
  question.request = request;
  question.skip = offset - start;
  question.count = count;
  question.list = changetype<usize>(list);
  const length = min(whole, limits.length);
  const status = nextExtents(handle, 0, question.list, length, start, 0, token(question));
  return status == PENDING ? PENDING : answer(question, status);
}

function haveExtents(token: i32, result: i32): void {
  const question = taskOf<Question>(token);
  const request = question.request;
  complete(request, answer(question, result));
}

function answer(question: Question, errno: i32): i32 {
  const list = changetype<ExtentList>(question.list);
  let skip = question.skip;
  let left = question.count;
  for (let i: u32 = 0; i < list.count && left && !errno; i++) {
    const length = list.lengthAt(i);
    if (length <= skip) {
      skip -= length;
      continue;
    }
    const told = min(length - skip, left);
    extent(question.request, told, list.flagsAt(i));
    skip = 0;
    left -= told;
  }
  // It was told of less than what was left out; what is there is data as far as anybody knows.
  if (!errno && left == question.count) extent(question.request, left, ExtentFlag.Data);
  list.drop();
  end(question);
  return errno;
}
