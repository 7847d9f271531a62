// SPDX-License-Identifier: MIT
// Sets of regions of the disk, one bit each: what is out of date on a device, what was written since the
// last flush.

import { alloc, free } from "../../sdk/assemblyscript/assembly";

/** Bits of one set at most; regions of large disks are larger for it. */
const REGIONS_MAX: u64 = 1 << 22;
const REGION_BYTES_MIN: u64 = 256 << 10;

/** Bytes of a region, a power of two, and how many there are. */
export let regionBytes: u64 = REGION_BYTES_MIN;
export let regionCount: u32 = 0;

/** Says how large the disk is. */
export function setRegions(size: u64): void {
  while ((size + regionBytes - 1) / regionBytes > REGIONS_MAX) regionBytes <<= 1;
  regionCount = <u32>((size + regionBytes - 1) / regionBytes);
}

function setBytes(): usize {
  return ((<usize>regionCount + 63) >> 6 << 3) + 8;
}

// @ts-ignore: decorator
@inline
function wordAt(set: usize, index: u32): usize {
  return set + (<usize>index >> 6 << 3);
}

/** A set of no regions; 0 where there is no memory. */
export function makeSet(): usize {
  const set = alloc(setBytes(), 8);
  if (set) memory.fill(set, 0, setBytes());
  return set;
}

export function freeSet(set: usize): void {
  if (set) free(set, setBytes());
}

export function clearSet(set: usize): void {
  memory.fill(set, 0, setBytes());
}

export function isIn(set: usize, index: u32): bool {
  return (load<u64>(wordAt(set, index)) >> (index & 63) & 1) != 0;
}

export function addRegion(set: usize, index: u32): void {
  const word = wordAt(set, index);
  store<u64>(word, load<u64>(word) | <u64>1 << (index & 63));
}

export function removeRegion(set: usize, index: u32): void {
  const word = wordAt(set, index);
  store<u64>(word, load<u64>(word) & ~(<u64>1 << (index & 63)));
}

/** Adds the regions that a range touches; `count` is at least 1. */
export function addRange(set: usize, offset: u64, count: u64): void {
  const last = <u32>((offset + count - 1) / regionBytes);
  for (let index = <u32>(offset / regionBytes); index <= last; index++) addRegion(set, index);
}

/** Whether a range touches a region of the set. */
export function touches(set: usize, offset: u64, count: u64): bool {
  const last = <u32>((offset + count - 1) / regionBytes);
  for (let index = <u32>(offset / regionBytes); index <= last; index++) {
    if (isIn(set, index)) return true;
  }
  return false;
}

export function addAll(set: usize): void {
  for (let index: u32 = 0; index < regionCount; index++) addRegion(set, index);
}

/** Adds all regions of `other`. */
export function addSet(set: usize, other: usize): void {
  for (let at: usize = 0; at < setBytes(); at += 8) {
    store<u64>(set + at, load<u64>(set + at) | load<u64>(other + at));
  }
}

/** The first region of the set from `from` on; `regionCount` where there is none. */
export function nextIn(set: usize, from: u32): u32 {
  for (let index = from; index < regionCount;) {
    const bits = load<u64>(wordAt(set, index)) >> (index & 63);
    if (bits) return index + <u32>ctz(bits);
    index = (index | 63) + 1;
  }
  return regionCount;
}

export function sizeOf(set: usize): u32 {
  let count: u64 = 0;
  for (let at: usize = 0; at < setBytes(); at += 8) count += popcnt(load<u64>(set + at));
  return <u32>count;
}
