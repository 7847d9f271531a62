// SPDX-License-Identifier: MIT
// Advertises other block sizes (README.md beside this folder). The server keeps clients to them; requests
// go past this filter.

import { Errno, fail, failWith, Info, say, sayNumber } from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Parameters; 0: not given. */
let allow: bool = false;
let minimum: u64 = 0;
let preferred: u64 = 0;
let maximum: u64 = 0;

const MAXIMUM_NONE: u32 = 0xffffffff;
const PREFERRED_MIN: u32 = 512;
const PREFERRED_MAX: u32 = 32 << 20;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) allow = value == 1;
  else if (index == 1) minimum = value;
  else if (index == 2) preferred = value;
  else maximum = value;
}

export function sb_ready(): i32 {
  if (minimum && popcnt(minimum) != 1) return notAPower("minimum", minimum);
  if (preferred && popcnt(preferred) != 1) return notAPower("preferred", preferred);
  if (minimum && preferred && preferred < minimum) {
    return failWith(Errno.EINVAL, "cannot prefer blocks that are smaller than the smallest");
  }
  if (maximum && (maximum < max(minimum, preferred) || (minimum && maximum % minimum))) {
    return failWith(
      Errno.EINVAL,
      "cannot use blocksize-maximum: it must be a multiple of the smallest block, and as large as the preferred one",
    );
  }
  return 0;
}

function notAPower(which: string, value: u64): i32 {
  say("cannot use blocksize-");
  say(which);
  say("=");
  sayNumber(value);
  say(": it must be a power of two");
  return fail(Errno.EINVAL);
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  if (minimum && minimum < info.blockMinimum) {
    say("cannot advertise blocks of ");
    sayNumber(minimum);
    say(": the device takes none below ");
    sayNumber(info.blockMinimum);
    say("; put the filter blocksize below this one");
    return fail(Errno.EINVAL);
  }
  if (maximum > info.blockMaximum) {
    say("cannot advertise requests of ");
    sayNumber(maximum);
    say(": the device takes none above ");
    sayNumber(info.blockMaximum);
    say("; put the filter blocksize below this one");
    return fail(Errno.EINVAL);
  }
  if (preferred) info.blockPreferred = <u32>preferred;
  // What is only recommended is what is preferred.
  if (allow) {
    if (minimum > info.blockPreferred) info.blockPreferred = max(<u32>minimum, PREFERRED_MIN);
    return 0;
  }
  if (minimum) info.blockMinimum = <u32>minimum;
  if (maximum) info.blockMaximum = maximum >= MAXIMUM_NONE ? MAXIMUM_NONE : <u32>maximum;
  if (!preferred && maximum && maximum < info.blockPreferred) {
    info.blockPreferred = max(1 << (31 - clz(<u32>maximum)), PREFERRED_MIN);
  }
  info.blockPreferred = min(max(info.blockPreferred, info.blockMinimum), PREFERRED_MAX);
  return 0;
}
