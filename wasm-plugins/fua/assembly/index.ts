// SPDX-License-Identifier: MIT
// Changes what becomes of durable writes and of flushes (README.md beside this folder).

import {
  CallFlag,
  Errno,
  failWith,
  Info,
  infoOf,
  pass,
  Support,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of fuamode by position. */
const enum Mode {
  None = 0,
  Emulate = 1,
  Native = 2,
  Force = 3,
  Discard = 4,
  Pass = 5,
}

let mode: i32 = Mode.None;

export function sb_param_int(index: i32, value: i64): void {
  mode = <i32>value;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  const below = infoOf(handle, 0);
  if (below.write == Support.None) return 0;
  if (mode == Mode.None) info.fua = Support.None;
  else if (mode == Mode.Emulate) {
    if (below.flush == Support.None) {
      return failWith(Errno.EINVAL, "cannot use fuamode=emulate: what is below cannot flush");
    }
    info.fua = Support.Emulate;
  } else if (mode == Mode.Discard) {
    info.fua = Support.Native;
    info.flush = Support.Native;
  } else if (mode != Mode.Pass) {
    if (below.fua == Support.None) {
      return failWith(
        Errno.EINVAL,
        "cannot use fuamode=native or fuamode=force: what is below has no durable writes",
      );
    }
    info.fua = Support.Native;
    if (mode == Mode.Force) info.flush = Support.Native;
  }
  return 0;
}

function change(request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (mode == Mode.Force) flags |= CallFlag.Fua;
  else if (mode == Mode.Discard) flags &= ~CallFlag.Fua;
  return pass(request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return change(request, count, offset, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags);
}

/** With everything durable already, or nothing ever, there is nothing to do. */
export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return mode == Mode.Force || mode == Mode.Discard ? 0 : pass(request, 0, 0, flags);
}
