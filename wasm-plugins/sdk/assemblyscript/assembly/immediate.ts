// SPDX-License-Identifier: MIT
// For writable plugins whose writes are as safe as they get, and whose reads are as fast as they get, all
// the time: nothing is left to do for flush, cache and FUA, nor between connections.

import { Info, Support } from "./constants";

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}

/** Declares all of this in the struct that `sb_info` fills in. */
export function declareImmediate(info: Info): void {
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.cache = Support.Native;
  info.multiConn = Support.Native;
}
