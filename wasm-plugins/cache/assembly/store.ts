// SPDX-License-Identifier: MIT
// What is cached: a map from blocks to units of memory, or of the cache file (slots.ts), each in a list by
// last use, and those with changes in a list by when the change came.

import { reserve } from "../../sdk/assemblyscript/assembly";
import { ABSENT, createMap, entryOf, prune, slotOf, spanEnd } from "../../lib/blocks/assembly/map";
import {
  createUnits,
  extraOf,
  giveUnit,
  takeUnit,
  unitsMax,
  unitsUsed,
} from "../../lib/blocks/assembly/units";
import {
  createSlots,
  extraOfSlot,
  giveSlot,
  SLOT_STEP,
  slotsLimit,
  slotsUsed,
  takeSlot,
} from "./slots";

/** Flags of an entry. The block is on its way from below, and not there yet. */
export const FETCHING: u32 = 2;
/** The block has changes that what is below has not. */
export const DIRTY: u32 = 4;
/** The block is on its way below, and must not be changed. */
export const WRITING: u32 = 8;
export const FLAGS: u32 = 4095;
/** Address space that cached data never takes. */
const HOST_RESERVE: usize = 32 << 20;

/** What is known of a unit; lies in the extra bytes of it. */
@unmanaged
export class Item {
  block: u64;
  /** Neighbours by last use; units, 0 at the ends. */
  newer: usize;
  older: usize;
  /** Neighbours by when they became dirty. */
  dirtyBefore: usize;
  dirtyAfter: usize;
  /** Which flush the first of its changes came before. */
  age: u32;
  /** Of a slot: how many read it now, and the flags below. */
  pins: u32;
}

/** Bytes of an Item. */
const ITEM_BYTES: u32 = 32;
/** Flag in `pins`: the slot has room on the disk of the file. */
const WRITTEN: u32 = 0x80000000;
/** Flag in `pins`: its block was taken out; it is free when nobody reads it any more. */
const DROPPED: u32 = 0x40000000;
const FLAGS_OF_PINS: u32 = 0xc0000000;

/** Units are slots of a file. */
export let onDisk = false;
/** How far apart units are that lie side by side. */
export let unitStep: usize = 4096;

export let blockBits: u32 = 12;
export let blockMask: u64 = 4095;
export let diskSize: u64 = 0;
/** Blocks that are on their way from below. */
export let fetching: i32 = 0;
/** Blocks that are on their way below. */
export let writing: i32 = 0;
export let dirtyCount: u64 = 0;
/** The unit whose change is the oldest; 0 where nothing is dirty. */
export let firstDirty: usize = 0;
let lastDirty: usize = 0;
let newest: usize = 0;
let oldest: usize = 0;
/** Changes from now on are of this age. */
export let age: u32 = 0;

/** Sets up an empty cache of at most `bytesMax` bytes, in memory or not. False when there is no memory. */
export function createStore(size: u64, bits: u32, bytesMax: u64, inFile: bool): bool {
  blockBits = bits;
  blockMask = ((<u64>1) << bits) - 1;
  diskSize = size;
  reserve(HOST_RESERVE);
  const units = max(bytesMax >> bits, 1);
  onDisk = inFile;
  unitStep = inFile ? SLOT_STEP : (<usize>1) << bits;
  if (!inFile) createUnits(bits, units, ITEM_BYTES);
  else if (!createSlots(units, ITEM_BYTES)) return false;
  return createMap(max((size + blockMask) >> bits, 1));
}

// @ts-ignore: decorator
@inline
export function itemOf(unit: usize): Item {
  return changetype<Item>(onDisk ? extraOfSlot(unit) : extraOf(unit));
}

/** Units in use. */
// @ts-ignore: decorator
@inline
export function used(): u64 {
  return onDisk ? slotsUsed() : unitsUsed();
}

/** Units that may be in use. */
// @ts-ignore: decorator
@inline
export function limit(): u64 {
  return onDisk ? slotsLimit() : unitsMax();
}

function take(previous: usize): usize {
  return onDisk ? takeSlot(previous) : takeUnit(previous);
}

function give(unit: usize): void {
  if (!onDisk) return giveUnit(unit);
  const item = itemOf(unit);
  const written = (item.pins & WRITTEN) != 0;
  // Somebody reads it still.
  if (item.pins & ~FLAGS_OF_PINS) item.pins |= DROPPED;
  else giveSlot(unit, written);
}

/** Keeps `count` slots from `unit` on from being used for other blocks. */
export function pin(unit: usize, count: u64): void {
  for (; count; count--, unit += SLOT_STEP) itemOf(unit).pins++;
}

/** Takes back `pin`. */
export function unpin(unit: usize, count: u64): void {
  for (; count; count--, unit += SLOT_STEP) {
    const item = itemOf(unit);
    item.pins--;
    if (item.pins & ~FLAGS_OF_PINS || !(item.pins & DROPPED)) continue;
    item.pins &= WRITTEN;
    giveSlot(unit, item.pins != 0);
  }
}

/** The unit of an entry, also where it is being fetched; 0 where there is none. */
// @ts-ignore: decorator
@inline
export function unitOf(entry: u32): usize {
  return <usize>(entry & ~FLAGS);
}

/** Bytes of the block that are on the disk. */
export function lengthOf(block: u64): u64 {
  return min(blockMask + 1, diskSize - (block << blockBits));
}

/** Begins a new age: returns the one that ends. */
export function nextAge(): u32 {
  return age++;
}

/** Makes the unit the one used last. */
// @ts-ignore: decorator
@inline
export function touch(unit: usize): void {
  if (unit != newest) toFront(unit);
}

function toFront(unit: usize): void {
  unlink(unit);
  link(unit);
}

function link(unit: usize): void {
  const item = itemOf(unit);
  item.newer = 0;
  item.older = newest;
  if (newest) itemOf(newest).newer = unit;
  else oldest = unit;
  newest = unit;
}

function unlink(unit: usize): void {
  const item = itemOf(unit);
  if (item.newer) itemOf(item.newer).older = item.older;
  else newest = item.older;
  if (item.older) itemOf(item.older).newer = item.newer;
  else oldest = item.newer;
}

/** A unit for a block that has none, with `flags`. 0 where none can be had without waiting. */
export function insert(block: u64, flags: u32, previous: usize): usize {
  let unit = used() < limit() ? take(previous) : 0;
  if (!unit && evict(1)) unit = take(previous);
  if (!unit) return 0;
  const slot = slotOf(block);
  if (!slot) {
    give(unit);
    return 0;
  }
  store<u32>(slot, <u32>unit | flags);
  itemOf(unit).block = block;
  link(unit);
  if (flags & FETCHING) fetching++;
  return unit;
}

/** Takes a block out; what is dirty in it is lost. It must not be on its way. */
export function remove(block: u64): void {
  const slot = slotOf(block);
  const entry = load<u32>(slot);
  const unit = unitOf(entry);
  if (entry & DIRTY) unlinkDirty(unit);
  unlink(unit);
  store<u32>(slot, ABSENT);
  give(unit);
  prune(block);
}

/** Steps that one search for something to take out makes at most. */
const STEPS_MAX: i32 = 256;

/**
 * Takes up to `count` clean blocks out that were not used for longest. Returns how many. Those that
 * are dirty or on their way are passed over, for a while.
 */
export function evict(count: i32): i32 {
  let evicted = 0;
  let unit = oldest;
  for (let step = 0; unit && evicted < count && step < STEPS_MAX; step++) {
    const next = itemOf(unit).newer;
    const block = itemOf(unit).block;
    const busy = (entryOf(block) & (FETCHING | DIRTY | WRITING)) != 0 || isPinned(unit);
    if (!busy) {
      remove(block);
      evicted++;
    }
    unit = next;
  }
  return evicted;
}

// @ts-ignore: decorator
@inline
function isPinned(unit: usize): bool {
  return onDisk && (itemOf(unit).pins & ~FLAGS_OF_PINS) != 0;
}

/** A block that was on its way is there. */
export function arrive(block: u64): void {
  const slot = slotOf(block);
  const entry = load<u32>(slot);
  store<u32>(slot, entry & ~FETCHING);
  if (onDisk) itemOf(unitOf(entry)).pins |= WRITTEN;
  fetching--;
}

/** A block that was on its way did not come. */
export function forsake(block: u64): void {
  const slot = slotOf(block);
  store<u32>(slot, load<u32>(slot) & ~FETCHING);
  fetching--;
  remove(block);
}

/** The block has changed; its unit is `unit`. */
// @ts-ignore: decorator
@inline
export function soil(block: u64, unit: usize): void {
  const slot = slotOf(block);
  const entry = load<u32>(slot);
  if (entry & DIRTY) return;
  store<u32>(slot, entry | DIRTY);
  linkDirty(unit);
}

function linkDirty(unit: usize): void {
  const item = itemOf(unit);
  item.age = age;
  item.dirtyBefore = lastDirty;
  item.dirtyAfter = 0;
  if (lastDirty) itemOf(lastDirty).dirtyAfter = unit;
  else firstDirty = unit;
  lastDirty = unit;
  dirtyCount++;
}

function unlinkDirty(unit: usize): void {
  const item = itemOf(unit);
  if (item.dirtyBefore) itemOf(item.dirtyBefore).dirtyAfter = item.dirtyAfter;
  else firstDirty = item.dirtyAfter;
  if (item.dirtyAfter) itemOf(item.dirtyAfter).dirtyBefore = item.dirtyBefore;
  else lastDirty = item.dirtyBefore;
  dirtyCount--;
}

/** A dirty block goes on its way below. */
export function sendOff(block: u64): void {
  const slot = slotOf(block);
  const entry = load<u32>(slot);
  unlinkDirty(unitOf(entry));
  store<u32>(slot, (entry & ~DIRTY) | WRITING);
  writing++;
}

/** It has arrived there, or not: then it is dirty as before. */
export function land(block: u64, arrived: bool): void {
  const slot = slotOf(block);
  const entry = load<u32>(slot) & ~WRITING;
  writing--;
  store<u32>(slot, arrived ? entry : entry | DIRTY);
  if (!arrived) linkDirty(unitOf(entry));
}

/** Whether any of the blocks from `first` to `last` is on its way, in either direction. */
export function anyOnItsWay(first: u64, last: u64): bool {
  if (!(fetching | writing)) return false;
  for (let block = first; block <= last; block = spanEnd) {
    if (entryOf(block) & (FETCHING | WRITING)) return true;
  }
  return false;
}

/** Blocks from `first` to `last` that have no unit. */
export function unitsMissing(first: u64, last: u64): u64 {
  let missing: u64 = 0;
  for (let block = first; block <= last; block = spanEnd) {
    if (!entryOf(block)) missing += min(spanEnd, last + 1) - block;
  }
  return missing;
}
