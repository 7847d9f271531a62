// SPDX-License-Identifier: MIT
// Puts what clients write into the cache file. Meanwhile the blocks are in the line of requests that change
// something (operations.ts), so that nobody else changes them or brings them below.

import { filePwrite, PENDING, then, token } from "../../sdk/assemblyscript/assembly";
import { entryOf } from "../../lib/blocks/assembly/map";
import { failWithFile, file, notWritten, placeOf } from "./file";
import { enterPassing, leavePassing, Operation } from "./operations";
import {
  arrive,
  blockBits,
  blockMask,
  DIRTY,
  FETCHING,
  forsake,
  insert,
  lengthOf,
  pin,
  remove,
  soil,
  touch,
  unitOf,
  unitStep,
  unpin,
} from "./store";

/** What `stored` says beside 0 and errnos: it is not in the file, and has to go below. */
export const NOT_STORED: i32 = -2;

/**
 * Makes room for the blocks of a write that are not in the file; those there are stay, as they are pinned.
 * `all`: false where some have none, and then nothing has changed. Else what is only a part of a block, or
 * has no room, is left out. New ones are FETCHING.
 */
export function makeRoom(one: Operation, all: bool): bool {
  pinExisting(one, true);
  let previous: usize = 0;
  for (let block = one.first; block <= one.last; block++) {
    let unit = unitOf(entryOf(block));
    if (unit) touch(unit);
    else if (isWhole(one, block)) unit = insert(block, FETCHING, previous);
    if (!unit && all) {
      for (let other = one.first; other < block; other++) {
        if (entryOf(other) & FETCHING) forsake(other);
      }
      pinExisting(one, false);
      return false;
    }
    previous = unit;
  }
  return true;
}

function isWhole(one: Operation, block: u64): bool {
  const from = max(block << blockBits, one.offset);
  const to = min((block + 1) << blockBits, one.offset + one.count);
  return to - from == lengthOf(block);
}

/** Pins the slots that have a block already, or takes that back. New ones are never taken out. */
function pinExisting(one: Operation, pins: bool): void {
  for (let block = one.first; block <= one.last; block++) {
    const entry = entryOf(block);
    if (!entry || entry & FETCHING) continue;
    if (pins) pin(unitOf(entry), 1);
    else unpin(unitOf(entry), 1);
  }
}

/**
 * Writes the bytes of `one` to the slots of its blocks, after `makeRoom`. Returns PENDING, after which
 * `next` is called each time that a piece has ended, or what `stored` does.
 */
export function putIntoFile(one: Operation, next: (token: i32, result: i32) => void): i32 {
  then(one, next);
  one.left = 0;
  enterPassing(one);
  const stop = one.offset + one.count;
  for (let at = one.offset; at < stop;) {
    let slot = unitOf(entryOf(at >> blockBits));
    const first = slot;
    const start = at;
    at = min(((at >> blockBits) + 1) << blockBits, stop);
    if (!slot) continue;
    while (at < stop && unitOf(entryOf(at >> blockBits)) == slot + unitStep) {
      slot += unitStep;
      at = min(at + blockMask + 1, stop);
    }
    const data = one.data + <usize>(start - one.offset);
    const place = placeOf(first, start & blockMask);
    const status = filePwrite(file, data, at - start, place, 0, token(one));
    if (status == PENDING) one.left++;
    else if (status && !one.errno) one.errno = status;
  }
  return one.left ? PENDING : stored(one);
}

/**
 * All pieces have ended: `one.dirty` makes changes of them. Returns 0, NOT_STORED, or an errno where older
 * changes in the same blocks cannot be told from the new ones.
 */
export function stored(one: Operation): i32 {
  leavePassing(one);
  const errno = one.errno;
  one.errno = 0;
  let lost = false;
  let missing = false;
  for (let block = one.first; block <= one.last; block++) {
    const entry = entryOf(block);
    if (!entry) missing = true;
    else if (entry & FETCHING) {
      if (errno) forsake(block);
      else arrive(block);
    } else {
      unpin(unitOf(entry), 1);
      if (errno && entry & DIRTY) lost = true;
      else if (errno) remove(block);
    }
  }
  if (errno) {
    notWritten(errno);
    return lost ? failWithFile(errno) : NOT_STORED;
  }
  if (!one.dirty) return 0;
  if (missing) return NOT_STORED;
  for (let block = one.first; block <= one.last; block++) soil(block, unitOf(entryOf(block)));
  return 0;
}
