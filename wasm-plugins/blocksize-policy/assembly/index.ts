// SPDX-License-Identifier: MIT
// Advertises other block sizes (README.md beside this folder). The server keeps clients to them, or to what
// is below; requests go past this filter.

import { blockAdvice, Errno, fail, failWith, Info, say, sayNumber } from "../../sdk/assemblyscript/assembly";

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
  if (allow) return advise(info);
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
  if (minimum) info.blockMinimum = <u32>minimum;
  if (maximum) info.blockMaximum = <u32>maximum;
  info.blockPreferred = preferredOf(info, info.blockMinimum, info.blockMaximum);
  return 0;
}

/** Tells clients what they should keep to, and keeps them to what is below. */
function advise(info: Info): i32 {
  const least = minimum ? <u32>minimum : info.blockMinimum;
  let most = maximum ? <u32>min(maximum, <u64>MAXIMUM_NONE) : info.blockMaximum;
  if (most != MAXIMUM_NONE) most -= most % least;
  if (most < max(least, PREFERRED_MIN)) {
    say("cannot advertise requests of at most ");
    sayNumber(most);
    say(" bytes in blocks of ");
    sayNumber(least);
    return fail(Errno.EINVAL);
  }
  blockAdvice(least, preferredOf(info, least, most), most);
  return 0;
}

/** The preferred size: what was given, or else that of the device as far as it fits between the two others. */
function preferredOf(info: Info, least: u32, most: u32): u32 {
  let size = preferred ? <u32>preferred : info.blockPreferred;
  if (size > most) size = max(1 << (31 - clz(most)), PREFERRED_MIN);
  return min(max(size, least), PREFERRED_MAX);
}
