// SPDX-License-Identifier: MIT
// Read-only disk full of zeroes, all of it a hole (README.md beside this folder).

import {
  extent,
  ExtentFlag,
  Info,
  replyZero,
  setSize,
  Support,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";

export {
  sb_alloc,
  sb_cache,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

export function sb_param_int(index: i32, value: i64): void {
  setSize(value);
}

export function sb_info(handle: i32, out: usize): i32 {
  changetype<Info>(out).multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  replyZero(request, 0, count, ZeroFlag.Hole);
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  extent(request, count, ExtentFlag.HoleZero);
  return 0;
}
