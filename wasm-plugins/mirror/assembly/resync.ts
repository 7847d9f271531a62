// SPDX-License-Identifier: MIT
// Brings devices up to date that are behind: region by region, through a handle of the mirror's own, what
// differs is copied from a device that is in sync. Changes of the bytes that are being copied wait.

import {
  alloc,
  Errno,
  infoOf,
  logLine,
  LogLevel,
  metric,
  nextCount,
  nextFlush,
  nextOpen,
  nextPread,
  nextPwrite,
  nextSize,
  PENDING,
  say,
  sayNumber,
  Support,
  Task,
  timer,
} from "../../sdk/assemblyscript/assembly";
import { copied, isChanging } from "./changes";
import { countFailure, device, lose, regionsBehind, State, tellDevices, upTo } from "./devices";
import { nextIn, regionBytes, regionCount, removeRegion, sizeOf } from "./regions";

const enum Metric {
  Left = 3,
  Resynced = 4,
}

/** Bytes that are copied at a time; a device may take less. */
const STEP_BYTES: u64 = 256 << 10;
const NS_PER_S: u64 = 1000000000;

/** The copying, as a task: its address is the token, `then` what goes on. */
const copy = changetype<Task>(memory.data(16, 16));
/** The same for trying devices again. */
const rejoin = changetype<Task>(memory.data(16, 16));

let ratePerS: u64 = 0;
let rejoinNs: u64 = 0;
let rejoinSet = false;
let size: u64 = 0;
let exportName: usize = 0;
let exportNameLength: usize = 0;

/** Handle of the mirror's own; -1 while there is none. */
let handle: i32 = -1;
let step: u64 = STEP_BYTES;
/** What is read from the source, and from the target. */
let wanted: usize = 0;
let found: usize = 0;

let running = false;
/** The device that is being brought up to date, the region of it that is copied, and how far. */
let target: i32 = 0;
let region: u32 = 0;
let from: u64 = 0;
let at: u64 = 0;
let stop: u64 = 0;
/** Regions of this device that no other one could read. */
let skipped: u32 = 0;
let tried: u32 = 0;
let source: i32 = 0;
/** The bytes are reserved, but a change of them has to end first. */
let holding = false;
let total: u64 = 0;
let told: u64 = 0;
let resynced: i64 = 0;

export function setRate(bytesPerS: u64): void {
  ratePerS = bytesPerS;
}

export function setRejoin(nanoseconds: u64): void {
  rejoinNs = nanoseconds;
}

export function rejoins(): bool {
  return rejoinNs != 0;
}

/** Says which export is mirrored. */
export function setExport(name: usize, length: usize, bytes: u64): void {
  exportName = name;
  exportNameLength = length;
  size = bytes;
}

/** Opens what is below for the mirror itself. Returns 0 or an errno. */
export function openOwn(): i32 {
  if (handle >= 0) return 0;
  const opened = nextOpen(exportName, exportNameLength, 0);
  if (opened < 0) return -opened;
  handle = opened;
  for (let i = 0; i < nextCount(); i++) step = min(step, <u64>infoOf(handle, i).blockMaximum);
  wanted = alloc(<usize>step, 4096);
  found = alloc(<usize>step, 4096);
  return wanted && found ? 0 : <i32>Errno.ENOMEM;
}

/** The smallest device below the own handle. */
export function ownSize(): u64 {
  let least = <u64>nextSize(handle, 0);
  for (let i = 1; i < nextCount(); i++) least = min(least, <u64>nextSize(handle, i));
  return least;
}

/** Begins to copy if a device is behind and nothing is being copied. */
export function startResync(): void {
  if (running) return;
  if (!(upTo(State.Behind) & ~upTo(State.InSync))) return;
  running = true;
  total = regionsBehind();
  told = 0;
  region = 0;
  target = -1;
  pause(0, pick);
}

/** Whether a change of these bytes has to wait. */
export function isCopying(offset: u64, count: u64): bool {
  return running && stop != 0 && offset < stop && from < offset + count;
}

/** A change has ended, perhaps the one that was in the way. */
export function changeEnded(): void {
  if (!holding || isChanging(from, stop - from)) return;
  holding = false;
  read();
}

/** Goes on with `next` when requests have had their turn, and not sooner than the rate allows. */
function pause(bytes: u64, next: (token: i32, result: i32) => void): void {
  copy.then = next.index;
  timer(ratePerS ? bytes * NS_PER_S / ratePerS : 0, <i32>changetype<usize>(copy));
}

/** Goes on with the next region that is out of date somewhere. */
function pick(token: i32, result: i32): void {
  for (let i = 0; i < nextCount(); i++) {
    const one = device(i);
    if (one.state != State.Behind) continue;
    if (target != i) {
      target = i;
      region = 0;
      skipped = 0;
    }
    region = nextIn(one.stale, region);
    // Changes that failed everywhere may have put something back behind it.
    if (region == regionCount && !skipped) region = nextIn(one.stale, 0);
    if (region < regionCount) return hold();
    if (!skipped) return finish(i);
    giveUp(i);
  }
  running = false;
}

/** Reserves the region, and begins to copy it when no change of it is under way. */
function hold(): void {
  from = <u64>region * regionBytes;
  at = from;
  stop = min(from + regionBytes, size);
  tried = 0;
  if (isChanging(from, stop - from)) holding = true;
  else read();
}

/** Some of it cannot be read from any other device. */
function giveUp(index: i32): void {
  say("device ");
  sayNumber(index);
  say(" stays out of date in ");
  sayNumber(<u64>sizeOf(device(index).stale) * regionBytes);
  say(" bytes: they cannot be read elsewhere");
  logLine(LogLevel.Error);
  device(index).state = State.Out;
  tellDevices();
  wakeRejoin();
}

/** Everything is copied; it counts when it is safe. */
function finish(index: i32): void {
  copy.then = flushed.index;
  if (infoOf(handle, index).flush == Support.None) return flushed(0, 0);
  const status = nextFlush(handle, index, 0, <i32>changetype<usize>(copy));
  if (status != PENDING) flushed(0, status);
}

function flushed(token: i32, result: i32): void {
  const one = device(target);
  if (result) lose(target, result, "a flush");
  else if (one.state == State.Behind && !sizeOf(one.stale)) {
    one.state = State.InSync;
    tellDevices();
    say("device ");
    sayNumber(target);
    say(" is in sync");
    logLine(LogLevel.Info);
  }
  target = -1;
  if (result) wakeRejoin();
  pause(0, pick);
}

/** Reads the next bytes from a device that has them. */
function read(): void {
  const length = min(step, stop - at);
  const insync = upTo(State.InSync) & ~tried;
  if (!insync) return skip();
  source = ctz(insync);
  tried |= 1 << source;
  copy.then = haveWanted.index;
  const status = nextPread(handle, source, wanted, length, at, 0, <i32>changetype<usize>(copy));
  if (status != PENDING) haveWanted(0, status);
}

function haveWanted(token: i32, result: i32): void {
  if (result) {
    countFailure();
    return read();
  }
  const length = min(step, stop - at);
  copy.then = haveFound.index;
  const status = nextPread(handle, target, found, length, at, 0, <i32>changetype<usize>(copy));
  if (status != PENDING) haveFound(0, status);
}

/** What is the same already is not written: holes stay holes. */
function haveFound(token: i32, result: i32): void {
  const length = min(step, stop - at);
  if (!result && !memory.compare(wanted, found, <usize>length)) return written(0, 0);
  copy.then = written.index;
  const status = nextPwrite(handle, target, wanted, length, at, 0, <i32>changetype<usize>(copy));
  if (status != PENDING) written(0, status);
}

function written(token: i32, result: i32): void {
  if (result || device(target).state != State.Behind) {
    if (result) {
      countFailure();
      lose(target, result, "copying to it");
      wakeRejoin();
    }
    return release(0);
  }
  const length = min(step, stop - at);
  at += length;
  tried = 0;
  resynced += length;
  metric(Metric.Resynced, resynced);
  if (at < stop) return pause(length, goOn);
  removeRegion(device(target).stale, region);
  tellProgress();
  region++;
  release(length);
}

function goOn(token: i32, result: i32): void {
  if (device(target).state == State.Behind) read();
  else release(0);
}

/** Nobody can read it: it stays out of date. */
function skip(): void {
  say("cannot copy to device ");
  sayNumber(target);
  say(": no other device can read ");
  sayNumber(min(step, stop - at));
  say(" bytes at ");
  sayNumber(at);
  logLine(LogLevel.Error);
  region++;
  skipped++;
  release(0);
}

/** Lets changes of the region go on, and goes on itself. */
function release(bytes: u64): void {
  stop = 0;
  copied();
  pause(bytes, pick);
}

function tellProgress(): void {
  const left = regionsBehind();
  metric(Metric.Left, left * regionBytes);
  if (left > total) total = left;
  const percent = (total - left) * 100 / max<u64>(total, 1);
  if (percent / 10 == told / 10 && told) return;
  told = max<u64>(percent, 1);
  say("resync of device ");
  sayNumber(target);
  say(": ");
  sayNumber(percent);
  say("%, ");
  sayNumber(left * regionBytes);
  say(" bytes left");
  logLine(LogLevel.Info);
}

/** Has devices that are out tried again, after a while. */
export function wakeRejoin(): void {
  if (!rejoinNs || rejoinSet || upTo(State.Out) == upTo(State.Behind)) return;
  rejoin.then = tryAgain.index;
  rejoinSet = timer(rejoinNs, <i32>changetype<usize>(rejoin)) == 0;
}

function tryAgain(token: i32, result: i32): void {
  rejoinSet = false;
  if (openOwn()) return wakeRejoin();
  for (let i = 0; i < nextCount(); i++) {
    const one = device(i);
    if (one.state != State.Out || !one.stale) continue;
    one.state = State.Behind;
    say("device ");
    sayNumber(i);
    say(" is tried again: ");
    sayNumber(<u64>sizeOf(one.stale) * regionBytes);
    say(" bytes to compare");
    logLine(LogLevel.Info);
  }
  tellDevices();
  startResync();
}
