// SPDX-License-Identifier: MIT
// What is known about each device: whether it is in use, what of it is out of date, and how busy it is.

import { logLine, LogLevel, metric, nextCount, say, sayErrno, sayNumber } from "../../sdk/assemblyscript/assembly";
import { addRange, addSet, clearSet, makeSet, sizeOf, touches } from "./regions";

export const enum State {
  /** All of its content is right. */
  InSync = 0,
  /** In use for changes, and for reads of what is not out of date. */
  Behind = 1,
  /** Not in use. */
  Out = 2,
}

/** A device, by its number. */
@unmanaged
export class Device {
  state: i32;
  /** Reads that are under way, and where the last one ended. */
  pending: i32;
  position: u64;
  /** Regions that are out of date; 0 where that was never of interest. */
  stale: usize;
}

const DEVICES_MAX: usize = 16;
const DEVICE_BYTES: usize = 24;
const table = memory.data(384, 8);

let failures: i64 = 0;
/** Regions that were written since the last flush that has begun, and since the one before that. */
let unflushed: usize = 0;
let flushing: usize = 0;
let flushes: i32 = 0;

const enum Metric {
  Alive = 0,
  Failures = 1,
  InSync = 2,
}

// @ts-ignore: decorator
@inline
export function device(index: i32): Device {
  return changetype<Device>(table + <usize>index * DEVICE_BYTES);
}

/** Devices in states up to `state`, bit by bit. */
export function upTo(state: i32): u32 {
  let mask: u32 = 0;
  for (let i = 0; i < nextCount(); i++) if (device(i).state <= state) mask |= 1 << i;
  return mask;
}

export function tellDevices(): void {
  metric(Metric.Alive, popcnt(upTo(State.Behind)));
  metric(Metric.InSync, popcnt(upTo(State.InSync)));
}

export function countFailure(): void {
  metric(Metric.Failures, ++failures);
}

/** Remembers from now on what is written, so that a device can catch up. False without memory. */
export function trackWrites(): bool {
  unflushed = makeSet();
  flushing = makeSet();
  return unflushed != 0 && flushing != 0;
}

/** A range is going to change: devices that are out are behind there. */
export function noteChange(offset: u64, count: u64): void {
  if (!unflushed || !count) return;
  addRange(unflushed, offset, count);
  for (let i = 0; i < nextCount(); i++) {
    if (device(i).state == State.Out) addRange(device(i).stale, offset, count);
  }
}

/** A flush begins. Returns whether its end makes safe what was written before it. */
export function beginFlush(): bool {
  if (!unflushed || flushes++) return false;
  const written = unflushed;
  unflushed = flushing;
  flushing = written;
  return true;
}

/** A flush has ended. `settles`: what `beginFlush` said, and that it has succeeded. */
export function endFlush(settles: bool): void {
  if (!unflushed) return;
  flushes--;
  if (settles) clearSet(flushing);
  else if (!flushes) {
    addSet(unflushed, flushing);
    clearSet(flushing);
  }
}

/** Whether `index` may answer a read. */
export function isReadable(index: i32, offset: u64, count: u64): bool {
  const one = device(index);
  if (one.state == State.InSync) return true;
  return one.state == State.Behind && !touches(one.stale, offset, count);
}

/** Leaves a device out that has failed what another one has done. */
export function lose(index: i32, errno: i32, what: string): void {
  const one = device(index);
  if (one.state == State.Out) return;
  one.state = State.Out;
  // What it has said to have written may be gone, until it was flushed.
  if (unflushed) {
    if (!one.stale) one.stale = makeSet();
    if (one.stale) {
      addSet(one.stale, unflushed);
      addSet(one.stale, flushing);
    }
  }
  tellDevices();
  say("device ");
  sayNumber(index);
  say(" is left out from now on: ");
  say(what);
  say(" failed with ");
  sayErrno(errno);
  say("; devices in use: ");
  sayNumber(popcnt(upTo(State.Behind)));
  logLine(LogLevel.Error);
}

/** Bytes of regions that some device in use has to catch up on. */
export function regionsBehind(): u64 {
  let regions: u64 = 0;
  for (let i = 0; i < nextCount(); i++) {
    if (device(i).state == State.Behind) regions += sizeOf(device(i).stale);
  }
  return regions;
}
