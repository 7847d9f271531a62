// SPDX-License-Identifier: MIT
// Requests that write zeroes are not offered, or are made something else (README.md beside this folder).

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

/** Values of zeromode by position. */
const enum Zero {
  None = 0,
  Emulate = 1,
  NoTrim = 2,
  Plugin = 3,
}

/** Values of fastzeromode by position. */
const enum Fast {
  Default = 0,
  None = 1,
  Slow = 2,
  Ignore = 3,
}

let zero: i32 = Zero.None;
let fast: i32 = Fast.Default;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) zero = <i32>value;
  else fast = <i32>value;
}

export function sb_ready(): i32 {
  if (fast != Fast.Ignore || zero >= Zero.NoTrim) return 0;
  return failWith(
    Errno.EINVAL,
    "cannot use fastzeromode=ignore: it needs zeromode=notrim or zeromode=plugin",
  );
}

export function sb_info(handle: i32, out: usize): i32 {
  const below = infoOf(handle, 0);
  const info = changetype<Info>(out);
  if (below.write == Support.None) return 0;
  if (zero == Zero.None) {
    info.zero = Support.None;
    info.fastZero = Support.None;
    return 0;
  }
  if (zero >= Zero.NoTrim && below.zero != Support.Native) {
    return failWith(
      Errno.EINVAL,
      "cannot use zeromode=notrim or zeromode=plugin: what is below has no requests that write zeroes",
    );
  }
  info.zero = zero == Zero.Emulate ? Support.Emulate : Support.Native;
  if (fast == Fast.None) info.fastZero = Support.None;
  // Emulated ones fail at once, always.
  else if (fast == Fast.Slow || zero == Zero.Emulate) info.fastZero = Support.Emulate;
  else if (fast == Fast.Ignore) info.fastZero = Support.Native;
  else info.fastZero = below.fastZero;
  return 0;
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (zero == Zero.NoTrim) flags &= ~CallFlag.MayTrim;
  if (fast == Fast.Ignore) flags &= ~CallFlag.FastZero;
  return pass(request, count, offset, flags);
}
