// SPDX-License-Identifier: MIT
// What requests to the device below must be like: what the parameters say, or else the device.

import { alloc, Errno, fail, failWith, Info, say, sayNumber } from "../../sdk/assemblyscript/assembly";

/** Limits of one open export, in bytes. */
@unmanaged
export class Limits {
  /** Requests begin and end at multiples of this, a power of two. */
  block: u64;
  /** The most that one request reads or writes: whole blocks. */
  data: u64;
  /** The most that one request without data is about: whole blocks. */
  length: u64;
}

/** No limit but the host's. */
export const NONE: u32 = 0xffffffff;
const BLOCK_MAX: u64 = 65536;

/** Parameters; 0: not given. */
let minblock: u64 = 0;
let maxdata: u64 = 0;
let maxlen: u64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) minblock = value;
  else if (index == 1) maxdata = value;
  else maxlen = value;
}

export function sb_ready(): i32 {
  if (minblock && popcnt(minblock) != 1) {
    say("cannot use minblock=");
    sayNumber(minblock);
    say(": it must be a power of two, 1 to 65536");
    return fail(Errno.EINVAL);
  }
  const block = minblock ? minblock : 1;
  if (maxdata % block || maxlen % block) {
    return failWith(Errno.EINVAL, "cannot use maxdata or maxlen: they must be multiples of minblock");
  }
  if (maxlen && maxlen < maxdata) {
    return failWith(Errno.EINVAL, "cannot use maxlen: it must be at least maxdata");
  }
  return 0;
}

/** Memory for limits that are not known yet; 0 where there is none. */
export function makeLimits(): usize {
  return alloc(offsetof<Limits>(), 8);
}

/** Finds out the limits for a device that can do what `below` says. Returns 0 or an errno. */
export function setLimits(limits: Limits, below: Info): i32 {
  const block = max(minblock, <u64>below.blockMinimum);
  if (minblock && minblock < below.blockMinimum) {
    say("cannot use minblock=");
    sayNumber(minblock);
    say(": the device takes no blocks below ");
    sayNumber(below.blockMinimum);
    return fail(Errno.EINVAL);
  }
  if (maxdata > below.blockMaximum) {
    say("cannot use maxdata=");
    sayNumber(maxdata);
    say(": the device takes no requests above ");
    sayNumber(below.blockMaximum);
    return fail(Errno.EINVAL);
  }
  limits.block = block;
  const data = maxdata ? maxdata : <u64>below.blockMaximum;
  limits.data = max(data & ~(block - 1), block);
  limits.length = max((maxlen ? maxlen : <u64>NONE) & ~(block - 1), block);
  if (block <= BLOCK_MAX) return 0;
  return failWith(Errno.EINVAL, "cannot make blocks fit: those of the device are larger than 65536");
}
