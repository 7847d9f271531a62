// SPDX-License-Identifier: MIT
// Disk with runs of random data among holes, in the shape of a virtual machine's disk, all of it a
// function of the parameters (README.md beside this folder).

import { answer, verify, verifyZeroes } from "../../lib/generated/assembly";
import {
  CallFlag,
  declareImmediate,
  Errno,
  extent,
  ExtentFlag,
  failWith,
  Info,
  replyZero,
  setSize,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";
import { fillContent, setContent } from "./content";
import { layOut, runEnd, runIsData, scan } from "./layout";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** Indices of the parameters in the manifest. */
const enum Parameter {
  Size = 0,
  Seed = 1,
  Percent = 2,
  RunLength = 3,
  BlockSize = 4,
  RandomContent = 5,
}

/** Extents in one answer; the client asks again for what lies behind. */
const EXTENTS_MAX: u32 = 4096;

let seed: u64 = 0;
let percent: u64 = 0;
let runLength: u64 = 0;
let blockSize: u64 = 0;
let randomContent = false;

export function sb_param_int(index: i32, value: i64): void {
  if (index == Parameter.Size) setSize(value);
  else if (index == Parameter.Seed) seed = value;
  else if (index == Parameter.Percent) percent = value;
  else if (index == Parameter.RunLength) runLength = value;
  else if (index == Parameter.BlockSize) blockSize = value;
  else randomContent = value != 0;
}

export function sb_ready(): i32 {
  if (popcnt(blockSize) != 1) {
    return failWith(Errno.EINVAL, "cannot use the block size: it is not a power of two");
  }
  if (runLength < blockSize) {
    return failWith(Errno.EINVAL, "cannot use the run length: it is less than a block");
  }
  layOut(seed, percent, runLength, blockSize);
  setContent(seed, blockSize, randomContent);
  return 0;
}

export function sb_info(handle: i32, out: usize): i32 {
  declareImmediate(changetype<Info>(out));
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  for (let at = offset; at < end; at = runEnd) {
    scan(at, end);
    const length = runEnd - at;
    if (!runIsData) {
      replyZero(request, at - offset, length, ZeroFlag.Hole);
      continue;
    }
    const errno = answer(request, at - offset, length, at, fillContent);
    if (errno) return errno;
  }
  return 0;
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
  for (let at = offset; at < end; at = runEnd) {
    scan(at, end);
    const from = data + <usize>(at - offset);
    const errno = verify(from, runEnd - at, at, runIsData ? fillContent : fillZeroes);
    if (errno) return errno;
  }
  return 0;
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  for (let at = offset; at < end; at = runEnd) {
    scan(at, end);
    if (!runIsData) continue;
    const errno = verifyZeroes(runEnd - at, at, fillContent);
    if (errno) return errno;
  }
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  let left = flags & CallFlag.ReqOne ? 1 : EXTENTS_MAX;
  for (let at = offset; at < end && left; left--) {
    scan(at, end);
    extent(request, runEnd - at, runIsData ? ExtentFlag.Data : ExtentFlag.HoleZero);
    at = runEnd;
  }
  return 0;
}

function fillZeroes(pointer: usize, count: usize, offset: u64): void {
  memory.fill(pointer, 0, count);
}
