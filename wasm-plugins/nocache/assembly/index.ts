// SPDX-License-Identifier: MIT
// Requests to cache are not offered, or are reads, or nothing (README.md beside this folder).

import { Info, Support } from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of cachemode by position, and the capabilities that they come to. */
const enum Mode {
  None = 0,
  Emulate = 1,
  Nop = 2,
}

let mode: i32 = Mode.None;

export function sb_param_int(index: i32, value: i64): void {
  mode = <i32>value;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  if (mode == Mode.None) info.cache = Support.None;
  else if (mode == Mode.Emulate) info.cache = Support.Emulate;
  else info.cache = Support.Native;
  return 0;
}

/** Only asked with cachemode=nop. */
export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}
