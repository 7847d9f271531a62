// SPDX-License-Identifier: MIT
// Makes the content of a device again, row by row, out of all others. What is right already is not written.
// How far it is, is stored from time to time, so that a server that is started again goes on there.

import {
  cancel,
  logLine,
  LogLevel,
  nextCount,
  nextFlush,
  nextPread,
  nextPwrite,
  say,
  sayNumber,
  Task,
  timer,
} from "../../sdk/assemblyscript/assembly";
import { xorInto } from "./bytes";
import {
  absent,
  canFlush,
  countFailure,
  loseDevices,
  own,
  Phase,
  phase,
  rebuilding,
  rebuilt,
  setAbsent,
  setDurable,
  setRebuilt,
  tellDevices,
} from "./devices";
import { closeGroup, Group, openGroup, tokenFor, track } from "./group";
import { chunk, offsetOf, rows } from "./layout";
import { addWork, endWork, Kind, pump, takeBuffer, Work } from "./rows";
import { save } from "./superblock";

const NS_PER_S: u64 = 1000000000;
/** Progress is stored every so many bytes. */
const SAVE_BYTES: u64 = 64 << 20;

const group = changetype<Group>(memory.data(32, 16));
const pause = changetype<Task>(memory.data(16, 16));
let ratePerS: u64 = 0;
let running = false;
let stopping = false;
let told: u64 = 0;
let unsavedBytes: u64 = 0;
/** Rows that are being made safe. */
let storing: u64 = 0;

export function setRate(bytesPerS: u64): void {
  ratePerS = bytesPerS;
}

/** Begins to rebuild, or goes on. */
export function continueRebuild(): void {
  if (running || !rebuilding || phase != Phase.Running) return;
  running = true;
  say("rebuild of device ");
  sayNumber(absent);
  say(" begins at ");
  sayNumber(rebuilt * chunk);
  say(" of ");
  sayNumber(rows * chunk);
  say(" bytes");
  logLine(LogLevel.Info);
  told = rebuilt * 100 / max<u64>(rows, 1);
  wait(0);
}

/** Stores how far it is when the row that is worked on is done, and ends there. */
export function stopRebuild(): void {
  stopping = true;
  if (running && cancel(<i32>changetype<usize>(pause))) wait(0);
}

function wait(bytes: u64): void {
  pause.then = nextRow.index;
  timer(ratePerS && !stopping ? bytes * NS_PER_S / ratePerS : 0, <i32>changetype<usize>(pause));
}

function nextRow(token: i32, result: i32): void {
  if (!rebuilding || phase != Phase.Running) {
    running = false;
    return;
  }
  if (stopping || rebuilt == rows) return store();
  if (addWork(Kind.Rebuild, rebuilt, 0)) pump();
  else wait(chunk);
}

/** Reads all chunks of the row, that of the device as well. */
export function startRebuild(work: Work): void {
  if (!rebuilding || !takeBuffer(work, <usize>chunk * (nextCount() + 1))) return leave(work);
  openGroup(work, haveRow);
  for (let device = 0; device < nextCount(); device++) {
    const buffer = work.buffer + <usize>device * <usize>chunk;
    const at = offsetOf(work.row);
    track(work, device, nextPread(own, device, buffer, chunk, at, 0, tokenFor(work, device)));
  }
  closeGroup(work);
}

function leave(work: Work): void {
  endWork(work);
  wait(chunk);
  pump();
}

function haveRow(pointer: usize): void {
  const work = changetype<Work>(pointer);
  const length = <usize>chunk;
  const target = absent;
  if (!rebuilding) return leave(work);
  if (work.failed & ~(1 << target)) return giveUp(work);
  const made = work.buffer + <usize>nextCount() * length;
  memory.fill(made, 0, length);
  for (let device = 0; device < nextCount(); device++) {
    if (device != target) xorInto(made, work.buffer + <usize>device * length, length);
  }
  const found = work.buffer + <usize>target * length;
  const same = !work.failed && !memory.compare(made, found, length);
  openGroup(work, rowDone);
  if (!same) {
    const at = offsetOf(work.row);
    track(work, target, nextPwrite(own, target, made, chunk, at, 0, tokenFor(work, target)));
  }
  closeGroup(work);
}

/** What cannot be read on another device now cannot be rebuilt. */
function giveUp(work: Work): void {
  const errno = work.errno;
  countFailure();
  say("cannot rebuild device ");
  sayNumber(absent);
  say(": device ");
  sayNumber(ctz(work.failed & ~(1 << absent)));
  say(" cannot read ");
  sayNumber(chunk);
  say(" bytes at ");
  sayNumber(offsetOf(work.row));
  logLine(LogLevel.Error);
  endWork(work);
  running = false;
  loseDevices(1 << absent, errno, "its rebuild");
  pump();
}

function rowDone(pointer: usize): void {
  const work = changetype<Work>(pointer);
  if (work.failed) loseDevices(work.failed, work.errno, "writing what is rebuilt");
  else if (rebuilding) setRebuilt(work.row + 1);
  endWork(work);
  pump();
  if (!rebuilding) {
    running = false;
    return;
  }
  tellProgress();
  unsavedBytes += chunk;
  if (unsavedBytes >= SAVE_BYTES || rebuilt == rows) store();
  else wait(chunk);
}

/** What is rebuilt is made safe before it is said to be. */
function store(): void {
  unsavedBytes = 0;
  storing = rebuilt;
  openGroup(group, stored);
  if (canFlush(absent)) track(group, absent, nextFlush(own, absent, 0, tokenFor(group, absent)));
  closeGroup(group);
}

function stored(pointer: usize): void {
  if (group.failed) loseDevices(group.failed, group.errno, "flushing what is rebuilt");
  if (!rebuilding || phase != Phase.Running) {
    running = false;
    return;
  }
  setDurable(storing);
  if (storing < rows) {
    save();
    if (stopping) running = false;
    else wait(chunk);
    return;
  }
  say("device ");
  sayNumber(absent);
  say(" is rebuilt");
  logLine(LogLevel.Info);
  running = false;
  setAbsent(-1, -1);
  save();
}

function tellProgress(): void {
  tellDevices();
  const percent = rebuilt * 100 / rows;
  if (percent / 10 == told / 10) return;
  told = percent;
  say("rebuild of device ");
  sayNumber(absent);
  say(": ");
  sayNumber(percent);
  say("%, ");
  sayNumber((rows - rebuilt) * chunk);
  say(" bytes left");
  logLine(LogLevel.Info);
}
