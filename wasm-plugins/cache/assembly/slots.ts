// SPDX-License-Identifier: MIT
// Slots: pieces of one size of the cache file that blocks of the disk lie in. A slot is known by a number
// that stands where the address of a unit does for a cache in memory: multiples of SLOT_STEP.

import { allocZeroed } from "../../sdk/assemblyscript/assembly";

/** Slots side by side in the file are so far apart. */
export const SLOT_STEP: usize = 4096;
const SLOT_BITS: u32 = 12;
/** As many have numbers; the first is 1. */
export const SLOTS_MAX: u64 = 1048575;
/** Slots that one word of the map and one piece of memory for their extra bytes are for. */
const GROUP_BITS: u32 = 6;
const GROUP: u32 = 64;

/** A bit for each slot that is free and has room on the disk of the file. */
let map: usize = 0;
/** For each group: where the extra bytes of its slots begin; 0: not there yet. */
let extras: usize = 0;
let extraBytes: u32 = 0;
let slotsMax: u32 = 0;
/** The first slot that was never taken. */
let frontier: u32 = 1;
let freeCount: u32 = 0;
let usedCount: u32 = 0;
/** Group where the search for a free slot goes on. */
let cursor: u32 = 0;
/** Slots that were taken, but could not be written; linked by the first word of their extra bytes. */
let roomless: usize = 0;
/** Whether the file may become longer. */
let growing = true;

/** At most `max` slots, each with `extra` bytes, zero at first, that belong to it. False without memory. */
export function createSlots(max: u64, extra: u32): bool {
  slotsMax = <u32>min(max, SLOTS_MAX);
  extraBytes = extra;
  const groups = (<usize>slotsMax >> GROUP_BITS) + 1;
  map = allocZeroed(groups << 3, 8);
  extras = allocZeroed(groups << 2, 8);
  return map != 0 && extras != 0;
}

/** Slots in use. */
export function slotsUsed(): u64 {
  return usedCount;
}

/** Slots that may be in use: while the file does not grow, those that have room on its disk. */
export function slotsLimit(): u64 {
  return growing ? slotsMax : usedCount + freeCount;
}

/** Whether slots are taken that were never written, which needs room on the disk of the file. */
export function letGrow(grow: bool): void {
  growing = grow;
}

/** Takes a slot, if possible the one behind `previous`; 0 where there is none. */
export function takeSlot(previous: usize): usize {
  if (previous) {
    const next = <u32>(previous >> SLOT_BITS) + 1;
    if (next <= slotsMax && load<u64>(wordOf(next)) & bitOf(next)) return occupy(next);
    if (growing && next == frontier) return advance();
  }
  if (freeCount) {
    const groups = (slotsMax >> GROUP_BITS) + 1;
    while (!load<u64>(map + (<usize>cursor << 3))) cursor = cursor + 1 < groups ? cursor + 1 : 0;
    return occupy((cursor << GROUP_BITS) + <u32>ctz(load<u64>(map + (<usize>cursor << 3))));
  }
  if (!growing) return 0;
  if (!roomless) return advance();
  const slot = roomless;
  roomless = load<usize>(extraOfSlot(slot));
  usedCount++;
  return slot;
}

/** Gives a slot back; `written`: it has room on the disk. */
export function giveSlot(slot: usize, written: bool): void {
  usedCount--;
  if (!written) {
    store<usize>(extraOfSlot(slot), roomless);
    roomless = slot;
    return;
  }
  const number = <u32>(slot >> SLOT_BITS);
  store<u64>(wordOf(number), load<u64>(wordOf(number)) | bitOf(number));
  freeCount++;
}

/** Where the extra bytes of a slot are. */
// @ts-ignore: decorator
@inline
export function extraOfSlot(slot: usize): usize {
  const group = slot >> (SLOT_BITS + GROUP_BITS);
  const index = (slot >> SLOT_BITS) & (GROUP - 1);
  return <usize>load<u32>(extras + (group << 2)) + index * <usize>extraBytes;
}

function occupy(number: u32): usize {
  store<u64>(wordOf(number), load<u64>(wordOf(number)) & ~bitOf(number));
  freeCount--;
  usedCount++;
  return <usize>number << SLOT_BITS;
}

/** The first slot that was never taken; 0 where all were, or without memory. */
function advance(): usize {
  if (frontier > slotsMax) return 0;
  const at = extras + (<usize>(frontier >> GROUP_BITS) << 2);
  if (!load<u32>(at)) {
    const bytes = allocZeroed(<usize>GROUP * extraBytes, 8);
    if (!bytes) return 0;
    store<u32>(at, <u32>bytes);
  }
  usedCount++;
  const slot = <usize>frontier << SLOT_BITS;
  frontier++;
  return slot;
}

// @ts-ignore: decorator
@inline
function wordOf(number: u32): usize {
  return map + (<usize>(number >> GROUP_BITS) << 3);
}

// @ts-ignore: decorator
@inline
function bitOf(number: u32): u64 {
  return (<u64>1) << (number & (GROUP - 1));
}
