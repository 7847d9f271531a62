// SPDX-License-Identifier: MIT
// The devices of the array: at most one is absent, which may be being rebuilt. What is known about that
// is stored on the others before a client is told that a write is done which relies on it.

import {
  infoOf,
  logLine,
  LogLevel,
  metric,
  nextCount,
  say,
  sayErrno,
  sayNumber,
  Support,
} from "../../sdk/assemblyscript/assembly";
import { chunk, rows } from "./layout";
import { save, saving } from "./superblock";

export const enum Phase {
  Loading = 0,
  Running = 1,
  /** Two devices are gone, or the array could not be loaded. */
  Failed = 2,
}

const enum Metric {
  Missing = 0,
  Failures = 1,
  RebuildLeft = 2,
  Replayed = 3,
}

export let phase: i32 = Phase.Loading;
/** Handle of the array's own. */
export let own: i32 = -1;
/** The device that is not in use as a whole; -1 for none. */
export let absent: i32 = -1;
/** Whether it is being rebuilt; its first `rebuilt` rows are right, the first `durable` ones for ever. */
export let rebuilding = false;
export let rebuilt: u64 = 0;
export let durable: u64 = 0;
let failures: i64 = 0;

export function setPhase(value: i32): void {
  phase = value;
}

export function setOwn(handle: i32): void {
  own = handle;
}

/** Says which device is absent; `from`: it is being rebuilt from this row on, -1: it is not. */
export function setAbsent(device: i32, from: i64): void {
  absent = device;
  rebuilding = from >= 0;
  rebuilt = rebuilding ? from : 0;
  durable = rebuilt;
  tellDevices();
}

export function setRebuilt(row: u64): void {
  rebuilt = row;
}

export function setDurable(row: u64): void {
  durable = row;
}

export function tellDevices(): void {
  metric(Metric.Missing, absent < 0 ? 0 : 1);
  metric(Metric.RebuildLeft, rebuilding ? (rows - rebuilt) * chunk : 0);
}

export function tellReplayed(records: i64): void {
  metric(Metric.Replayed, records);
}

export function countFailure(): void {
  metric(Metric.Failures, ++failures);
}

/** Whether the row of `device` may be read and is kept up to date. */
export function isUsable(device: i32, row: u64): bool {
  return device != absent || (rebuilding && row < rebuilt);
}

/** Whether `device` takes superblocks and flushes. */
export function isWritten(device: i32): bool {
  return device != absent || rebuilding;
}

export function canFlush(device: i32): bool {
  return infoOf(own, device).flush != Support.None;
}

/** All devices in the mask could not do what they had to: they are out of date. */
export function loseDevices(mask: u32, errno: i32, what: string): void {
  for (let device = 0; device < nextCount(); device++) {
    if (mask & (1 << device)) loseDevice(device, errno, what);
  }
}

function loseDevice(device: i32, errno: i32, what: string): void {
  countFailure();
  if (phase == Phase.Failed || (device == absent && !rebuilding)) return;
  say("device ");
  sayNumber(device);
  say(" is left out from now on: ");
  say(what);
  say(" failed with ");
  sayErrno(errno);
  if (absent >= 0 && absent != device) {
    phase = Phase.Failed;
    say("; device ");
    sayNumber(absent);
    say(" is missing already, so the array has failed");
    logLine(LogLevel.Error);
    return;
  }
  say("; the array survives, but not the loss of another one");
  logLine(LogLevel.Error);
  setAbsent(device, -1);
  if (phase == Phase.Running || saving) save();
}
