// SPDX-License-Identifier: MIT
// Units: pieces of memory of one size, a power of two from 4 KiB, that blocks of a disk lie in. They
// come from the heap in slabs of up to 64, and are at multiples of their size.

import { alloc, allocZeroed, release } from "../../../sdk/assemblyscript/assembly";

/** A slab has as many units as a word has bits, but is not larger than this. */
const SLAB_BYTES_MAX: u32 = 4 << 20;
/** Slabs of the smallest units (64 of 4 KiB) that 4 GiB have. */
const SLABS: u32 = 16384;

/** For each slab, by its address: a bit for each free unit. */
const map = memory.data(131072);
/** For each slab: where the extra bytes of its units begin. */
const extras = memory.data(65536);

let unitBits: u32 = 12;
let slabBits: u32 = 18;
let extraBytes: u32 = 0;
let freeCount: u64 = 0;
let usedCount: u64 = 0;
let usedMax: u64 = 0;
/** Slab where the search for a free unit goes on. */
let cursor: u32 = 0;

/**
 * Units of 1 << `bits` bytes, at most `max` of them in use; each has `extra` bytes, zero at first, that
 * belong to it. To be called once.
 */
export function createUnits(bits: u32, max: u64, extra: u32): void {
  unitBits = bits;
  slabBits = max32(bits, min32(bits + 6, <u32>ctz(SLAB_BYTES_MAX)));
  usedMax = max;
  extraBytes = extra;
}

// @ts-ignore: decorator
@inline
function max32(a: u32, b: u32): u32 {
  return a > b ? a : b;
}

// @ts-ignore: decorator
@inline
function min32(a: u32, b: u32): u32 {
  return a < b ? a : b;
}

/** Units in use. */
export function unitsUsed(): u64 {
  return usedCount;
}

/** Units that may be in use. */
export function unitsMax(): u64 {
  return usedMax;
}

/** Makes sure that `count` units can be taken. False where there is no memory, or by the bound. */
export function provideUnits(count: u64): bool {
  if (usedCount + count > usedMax) return false;
  while (freeCount < count) {
    if (!addSlab()) return false;
  }
  return true;
}

/** Takes a unit, if possible the one behind `previous`. Returns its address; 0 where there is none. */
export function takeUnit(previous: usize): usize {
  if (usedCount >= usedMax || (!freeCount && !addSlab())) return 0;
  if (previous) {
    const next = previous + ((<usize>1) << unitBits);
    if (next && load<u64>(wordOf(next)) & bitOf(next)) return take(next);
  }
  const count: u32 = SLABS >> (slabBits - 18);
  while (!load<u64>(map + (<usize>cursor << 3))) cursor = cursor + 1 < count ? cursor + 1 : 0;
  const bit = <usize>ctz(load<u64>(map + (<usize>cursor << 3)));
  return take((<usize>cursor << slabBits) + (bit << unitBits));
}

/** Gives a unit back. Its memory stays as it is. */
export function giveUnit(unit: usize): void {
  store<u64>(wordOf(unit), load<u64>(wordOf(unit)) | bitOf(unit));
  freeCount++;
  usedCount--;
}

/** Where the extra bytes of a unit are. */
// @ts-ignore: decorator
@inline
export function extraOf(unit: usize): usize {
  const index = (unit >> unitBits) & ((1 << (slabBits - unitBits)) - 1);
  return <usize>load<u32>(extras + ((unit >> slabBits) << 2)) + index * <usize>extraBytes;
}

/** Memory that waits to be released in one go: that of neighbours on the disk is often one range. */
let releasing: usize = 0;
let releasingLength: usize = 0;

/** Gives a unit back, and its memory to the system, after `releaseNow`. */
export function dropUnit(unit: usize): void {
  if (unit != releasing + releasingLength) {
    releaseNow();
    releasing = unit;
  }
  releasingLength += (<usize>1) << unitBits;
  giveUnit(unit);
}

/** See `dropUnit`. To be called before any unit is taken again. */
export function releaseNow(): void {
  if (releasingLength) release(releasing, releasingLength);
  releasingLength = 0;
}

// @ts-ignore: decorator
@inline
function wordOf(unit: usize): usize {
  return map + ((unit >> slabBits) << 3);
}

// @ts-ignore: decorator
@inline
function bitOf(unit: usize): u64 {
  return (<u64>1) << ((unit >> unitBits) & ((1 << (slabBits - unitBits)) - 1));
}

function take(unit: usize): usize {
  store<u64>(wordOf(unit), load<u64>(wordOf(unit)) & ~bitOf(unit));
  freeCount--;
  usedCount++;
  return unit;
}

function addSlab(): bool {
  const bytes = (<usize>1) << slabBits;
  const slab = alloc(bytes, bytes);
  if (!slab) return false;
  const count: u32 = 1 << (slabBits - unitBits);
  if (extraBytes) {
    const extra = allocZeroed(<usize>count * extraBytes, 8);
    if (!extra) return false;
    store<u32>(extras + ((slab >> slabBits) << 2), <u32>extra);
  }
  store<u64>(wordOf(slab), count == 64 ? ~(<u64>0) : ((<u64>1) << count) - 1);
  freeCount += count;
  cursor = <u32>(slab >> slabBits);
  return true;
}
