// SPDX-License-Identifier: MIT
// Disk that discards what is written and reads as one byte repeated (README.md beside this folder).

import {
  alloc,
  DataFlag,
  declareImmediate,
  Errno,
  failWith,
  Info,
  replyData,
  setSize,
  Support,
} from "../../sdk/assemblyscript/assembly";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** Index of the parameter in the manifest. */
const PARAMETER_BYTE: i32 = 1;
/** Reads are answered with these bytes over and over: few pieces, and they stay in the cache. */
const SAMPLE_BYTES: u32 = 256 << 10;

let byte: u8 = 0xff;
let sample: usize = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == PARAMETER_BYTE) byte = <u8>value;
  else setSize(value);
}

export function sb_ready(): i32 {
  sample = alloc(SAMPLE_BYTES, 4096);
  if (!sample) return failWith(Errno.ENOMEM, "cannot set up the disk: no memory");
  memory.fill(sample, byte, SAMPLE_BYTES);
  return 0;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  declareImmediate(info);
  info.fastZero = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  for (let at: u64 = 0; at < count; at += SAMPLE_BYTES) {
    replyData(request, at, sample, min(count - at, <u64>SAMPLE_BYTES), DataFlag.Stable);
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
  return 0;
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}
