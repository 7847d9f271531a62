// SPDX-License-Identifier: MIT
// The overlay: which blocks lie in memory, which are holes, and which are still those below.

import { reserve } from "../../sdk/assemblyscript/assembly";
import {
  ABSENT,
  createMap,
  entryOf,
  HOLE,
  setRange,
  slotOf,
  spanEnd,
} from "../../lib/blocks/assembly/map";
import {
  createUnits,
  dropUnit,
  releaseNow,
  takeUnit,
} from "../../lib/blocks/assembly/units";

/** Flag of an entry: the block is on its way from below into its unit; until then it counts as absent. */
export const FETCHING: u32 = 2;
const FLAGS: u32 = 4095;
/** Address space that data never takes, so that a full overlay can still be read. */
const HOST_RESERVE: usize = 64 << 20;

/** What `scan` found. */
export const enum Run {
  Below = 0,
  Hole = 1,
  Data = 2,
}

export let blockBits: u32 = 12;
/** Bytes of a block less one. */
export let blockMask: u64 = 4095;
export let diskSize: u64 = 0;
export let blockCount: u64 = 0;
/** Blocks that are being fetched. */
export let fetching: i32 = 0;

/** Kind, length and, for data, address of what `scan` found. */
export let runKind: i32 = 0;
export let runLength: u64 = 0;
export let runPointer: usize = 0;

/** Sets up an empty overlay with blocks of 1 << `bits` bytes. False when there is no memory. */
export function createOverlay(size: u64, bits: u32, bytesMax: u64): bool {
  blockBits = bits;
  blockMask = ((<u64>1) << bits) - 1;
  diskSize = size;
  blockCount = (size + blockMask) >> bits;
  reserve(HOST_RESERVE);
  createUnits(bits, bytesMax >> bits, 0);
  return createMap(max(blockCount, 1));
}

/** Where the bytes of a block lie; 0 where they do not lie in memory. */
// @ts-ignore: decorator
@inline
export function unitOf(entry: u32): usize {
  return entry & FETCHING ? 0 : <usize>(entry & ~FLAGS);
}

/** Whether the content of the block is the one below. */
// @ts-ignore: decorator
@inline
export function isBelow(block: u64): bool {
  const entry = entryOf(block);
  return entry == ABSENT || (entry & FETCHING) != 0;
}

/** How far from `offset`, and at most to `end`, bytes are of one kind, and data without a gap in memory. */
export function scan(offset: u64, end: u64): void {
  let at = offset;
  while (at < end) {
    const block = at >> blockBits;
    const entry = entryOf(block);
    const unit = unitOf(entry);
    const kind = unit ? Run.Data : entry == HOLE ? Run.Hole : Run.Below;
    const pointer = unit ? unit + <usize>(at & blockMask) : 0;
    if (at == offset) {
      runKind = kind;
      runPointer = pointer;
    } else if (kind != runKind || (unit && pointer != runPointer + <usize>(at - offset))) break;
    at = min(spanEnd << blockBits, end);
  }
  runLength = at - offset;
}

/** Bytes of the block that are on the disk: all but those of the last one. */
export function lengthOf(block: u64): u64 {
  return min(blockMask + 1, diskSize - (block << blockBits));
}

/** Whether blocks from `first` to `last` are being fetched. */
export function anyFetching(first: u64, last: u64): bool {
  if (!fetching) return false;
  for (let block = first; block <= last; block = spanEnd) {
    if (entryOf(block) & FETCHING) return true;
  }
  return false;
}

/** Blocks from `first` to `last` that have no unit. */
export function unitsMissing(first: u64, last: u64): u64 {
  let missing: u64 = 0;
  for (let block = first; block <= last; block = spanEnd) {
    if (entryOf(block) <= HOLE) missing += min(spanEnd, last + 1) - block;
  }
  return missing;
}

/** A unit for a block that has none, to be fetched into. Returns its address; 0 without memory. */
export function beginFetch(block: u64): usize {
  const slot = slotOf(block);
  const unit = slot ? takeUnit(0) : 0;
  if (!unit) return 0;
  store<u32>(slot, <u32>unit | FETCHING);
  fetching++;
  return unit;
}

/** The block has come, or has not. */
export function endFetch(block: u64, succeeded: bool): void {
  const slot = slotOf(block);
  const unit = load<u32>(slot) & ~FLAGS;
  fetching--;
  store<u32>(slot, succeeded ? unit : ABSENT);
  if (succeeded) return;
  dropUnit(unit);
  releaseNow();
}

/**
 * The unit of the block, with one taken where it has none: then those bytes of it are zero that lie
 * outside of the `count` from `inner` on, which are about to be written. 0 without memory.
 */
function occupy(block: u64, inner: u64, count: u64): usize {
  let slot = slotOf(block);
  if (!slot) return 0;
  const entry = load<u32>(slot);
  if (entry > HOLE) return unitOf(entry);
  const before = block & 255 ? load<u32>(slot - 4) & ~FLAGS : 0;
  const unit = takeUnit(before);
  if (!unit) return 0;
  if (inner) memory.fill(unit, 0, <usize>inner);
  const end = <usize>(inner + count);
  const bytes = <usize>blockMask + 1;
  if (end < bytes) memory.fill(unit + end, 0, bytes - end);
  store<u32>(slot, <u32>unit);
  return unit;
}

/** Puts bytes, or zeroes where `source` is 0, into memory. False when memory is used up. */
export function put(offset: u64, count: u64, source: usize): bool {
  while (count) {
    const inner = offset & blockMask;
    const length = min(count, blockMask + 1 - inner);
    const unit = occupy(offset >> blockBits, inner, length);
    if (!unit) return false;
    const to = unit + <usize>inner;
    if (source) {
      memory.copy(to, source, <usize>length);
      source += <usize>length;
    } else memory.fill(to, 0, <usize>length);
    offset += length;
    count -= length;
  }
  return true;
}

function drop(entry: u32): void {
  dropUnit(entry & ~FLAGS);
}

/** Makes whole blocks from `from` to `to` - 1 holes or absent. False without memory. */
export function forget(from: u64, to: u64, value: u32): bool {
  const done = setRange(from, to, value, drop);
  releaseNow();
  return done;
}

/** Makes holes of the blocks from `from` to `to` - 1 that have no memory, and zeroes of the others. */
export function blank(from: u64, to: u64): bool {
  for (let block = from; block < to;) {
    const unit = unitOf(entryOf(block));
    const next = min(spanEnd, to);
    if (unit) memory.fill(unit, 0, <usize>blockMask + 1);
    else if (!setRange(block, next, HOLE, drop)) return false;
    block = next;
  }
  return true;
}
