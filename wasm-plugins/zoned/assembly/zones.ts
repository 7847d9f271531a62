// SPDX-License-Identifier: MIT
// The zones of the disk: where each is written next, in which condition it is, and how many may be open
// or active (after ZNS and ZBC, as Linux has them).

import {
  allocZeroed,
  Errno,
  fail,
  failWith,
  say,
  sayNumber,
  ZoneCondition,
} from "../../sdk/assemblyscript/assembly";

/** For each zone: bytes written, as u64; its condition, as u32; and 4 bytes that mean nothing. */
const RECORD_BITS: usize = 4;
const CONDITION: usize = 8;
/** What Linux calls too many open zones, and too many active ones. */
const ETOOMANYREFS: i32 = 109;
const EOVERFLOW: i32 = 75;

let records: usize = 0;
let capacity: u64 = 0;
let conventional: u64 = 0;
let zones: u64 = 0;
let maxOpen: u32 = 0;
let maxActive: u32 = 0;
/** How many zones are in each of these conditions. */
let implicit: u32 = 0;
let explicit: u32 = 0;
let closed: u32 = 0;
/** Where the search for an open zone that can be closed goes on. */
let hand: u64 = 0;

/**
 * Sets `count` zones up, all of them empty, the first of them conventional; the others take `bytes`. False
 * when there is no memory.
 */
export function createZones(
  count: u64,
  bytes: u64,
  first: u64,
  open: u32,
  active: u32,
): bool {
  zones = count;
  capacity = bytes;
  conventional = first;
  maxOpen = open;
  maxActive = active;
  records = allocZeroed(<usize>count << RECORD_BITS, 16);
  if (!records) return false;
  for (let zone = first; zone < count; zone++) setCondition(zone, ZoneCondition.Empty);
  return true;
}

export function isConventional(zone: u64): bool {
  return zone < conventional;
}

export function conditionOf(zone: u64): i32 {
  return load<i32>(recordOf(zone) + CONDITION);
}

/** Bytes of a sequential zone that were written. */
export function writtenOf(zone: u64): u64 {
  return load<u64>(recordOf(zone));
}

function recordOf(zone: u64): usize {
  return records + (<usize>zone << RECORD_BITS);
}

function setCondition(zone: u64, condition: i32): void {
  store<i32>(recordOf(zone) + CONDITION, condition);
}

function setWritten(zone: u64, bytes: u64): void {
  store<u64>(recordOf(zone), bytes);
}

/** Takes a zone out of what is counted. */
function uncount(condition: i32): void {
  if (condition == ZoneCondition.ImplicitlyOpen) implicit--;
  else if (condition == ZoneCondition.ExplicitlyOpen) explicit--;
  else if (condition == ZoneCondition.Closed) closed--;
}

/** Makes room for one more open zone. 0, or an error number. */
function mayOpen(condition: i32): i32 {
  const isActive = condition == ZoneCondition.Closed;
  if (maxActive && !isActive && implicit + explicit + closed >= maxActive) {
    say("cannot write to another zone: ");
    sayNumber(maxActive);
    say(" are active, and no more may be");
    return fail(EOVERFLOW);
  }
  if (!maxOpen || implicit + explicit < maxOpen) return 0;
  if (!implicit) {
    say("cannot open another zone: ");
    sayNumber(maxOpen);
    say(" are open, and no more may be");
    return fail(ETOOMANYREFS);
  }
  // What was opened by a write is closed to make room.
  while (conditionOf(hand) != ZoneCondition.ImplicitlyOpen) hand = (hand + 1) % zones;
  return closeZone(hand);
}

/** Whether `bytes` may be written to a sequential zone now. 0, or an error number; the zone is open then. */
export function beginWrite(zone: u64, bytes: u64): i32 {
  const condition = conditionOf(zone);
  if (condition == ZoneCondition.Full) {
    return failWith(Errno.EIO, "cannot write to a zone that is full");
  }
  if (writtenOf(zone) + bytes > capacity) {
    return failWith(Errno.EIO, "cannot write more to a zone than it takes");
  }
  if (condition == ZoneCondition.ImplicitlyOpen || condition == ZoneCondition.ExplicitlyOpen) return 0;
  const errno = mayOpen(condition);
  if (errno) return errno;
  uncount(condition);
  implicit++;
  setCondition(zone, ZoneCondition.ImplicitlyOpen);
  return 0;
}

/** `bytes` were written to a zone behind what was there; none, where that has failed. */
export function endWrite(zone: u64, bytes: u64): void {
  const written = writtenOf(zone) + bytes;
  setWritten(zone, written);
  if (written == capacity) {
    uncount(conditionOf(zone));
    setCondition(zone, ZoneCondition.Full);
  }
}

export function openZone(zone: u64): i32 {
  const condition = conditionOf(zone);
  if (condition == ZoneCondition.ExplicitlyOpen) return 0;
  if (condition == ZoneCondition.Full) {
    return failWith(Errno.EIO, "cannot open a zone that is full");
  }
  if (condition != ZoneCondition.ImplicitlyOpen) {
    const errno = mayOpen(condition);
    if (errno) return errno;
  }
  uncount(condition);
  explicit++;
  setCondition(zone, ZoneCondition.ExplicitlyOpen);
  return 0;
}

export function closeZone(zone: u64): i32 {
  const condition = conditionOf(zone);
  if (condition == ZoneCondition.Closed) return 0;
  const isOpen = condition == ZoneCondition.ImplicitlyOpen ||
    condition == ZoneCondition.ExplicitlyOpen;
  if (!isOpen) return failWith(Errno.EIO, "cannot close a zone that is not open");
  uncount(condition);
  if (writtenOf(zone)) {
    closed++;
    setCondition(zone, ZoneCondition.Closed);
  } else setCondition(zone, ZoneCondition.Empty);
  return 0;
}

/** Makes a zone full, whatever was written to it. */
export function finishZone(zone: u64): i32 {
  uncount(conditionOf(zone));
  setCondition(zone, ZoneCondition.Full);
  return 0;
}

/** Makes a zone empty. What it held is the caller's business. */
export function resetZone(zone: u64): void {
  uncount(conditionOf(zone));
  setWritten(zone, 0);
  setCondition(zone, ZoneCondition.Empty);
}
