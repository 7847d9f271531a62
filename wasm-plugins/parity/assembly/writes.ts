// SPDX-License-Identifier: MIT
// Writes: each row that one touches gets its new parity, then both go to the journal, and from there to
// their places. A client is told when all rows are done, and the state that they rely on is stored.

import {
  begin,
  complete,
  end,
  Errno,
  fail,
  failWith,
  nextPread,
  nextPwrite,
  PENDING,

  Task,
} from "../../sdk/assemblyscript/assembly";
import { xorInto } from "./bytes";
import { absent, countFailure, isUsable, loseDevices, own, Phase, phase } from "./devices";
import { closeGroup, openGroup, tokenFor, track } from "./group";
import { BLOCK, enqueue, isDone, Record } from "./journal";
import { chunk, dataCount, deviceOf, offsetOf, parityOf, rowBytes } from "./layout";
import { addWork, endWork, Kind, pump, takeBuffer, Work } from "./rows";
import { saving } from "./superblock";

/** How the new parity is found. */
const enum Mode {
  /** The device with the parity is absent. */
  None = 0,
  /** Out of the old parity and what changes. */
  Change = 1,
  /** Out of all data of the row. */
  Whole = 2,
  /** The same, with a chunk that has to be made out of the others first. */
  Restore = 3,
}

/** A client's write. */
@unmanaged
class Writing extends Task {
  request: i32;
  /** Rows that are not done. */
  left: i32;
  errno: i32;
  /** The call for it has not returned. */
  called: bool;
  nextSaved: usize;
}

/** Writes that are done but for the state of the array. */
let unsaved: usize = 0;

export function arrayFailed(): i32 {
  return failWith(Errno.EIO, "cannot use the array: two devices are missing");
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot write to the array: no memory");
}

/** sb_pwrite. */
export function write(request: i32, data: usize, count: u64, offset: u64): i32 {
  if (phase == Phase.Failed) return arrayFailed();
  const writing = begin<Writing>(never);
  if (!writing) return noMemory();
  writing.request = request;
  writing.left = 1;
  writing.called = true;
  for (let at: u64 = 0; at < count;) {
    const row = (offset + at) / rowBytes();
    const from = (offset + at) % rowBytes();
    const to = min(from + count - at, rowBytes());
    const work = addWork(Kind.Write, row, changetype<usize>(writing));
    if (!work) {
      writing.errno = Errno.ENOMEM;
      break;
    }
    work.from = from;
    work.to = to;
    work.data = data + <usize>at;
    writing.left++;
    at += to - from;
  }
  pump();
  writing.called = false;
  if (--writing.left) return PENDING;
  if (saving) {
    append(writing);
    return PENDING;
  }
  const errno = writing.errno;
  end(writing);
  return errno == Errno.EIO && phase == Phase.Failed ? arrayFailed() : errno;
}

/** Nothing is asked for with the token of a Writing itself. */
function never(token: i32, result: i32): void {}

/** A row of a client's write is done. */
function rowDone(writing: Writing, errno: i32): void {
  if (errno) writing.errno = errno;
  if (--writing.left || writing.called) return;
  append(writing);
  if (!saving) writesSaved();
}

function append(writing: Writing): void {
  writing.nextSaved = unsaved;
  unsaved = changetype<usize>(writing);
}

/** The state of the array is stored: clients may be told. */
export function writesSaved(): void {
  while (unsaved) {
    const writing = changetype<Writing>(unsaved);
    unsaved = writing.nextSaved;
    const request = writing.request;
    const errno = writing.errno;
    end(writing);
    complete(request, errno);
  }
}

export function failWrite(work: Work): void {
  finish(work, Errno.EIO);
}

function finish(work: Work, errno: i32): void {
  const writing = changetype<Writing>(work.owner);
  endWork(work);
  rowDone(writing, errno);
  pump();
}

// Which part of the chunk `index` is written.

function firstIndex(work: Work): i32 {
  return <i32>(work.from / chunk);
}

function lastIndex(work: Work): i32 {
  return <i32>((work.to - 1) / chunk);
}

function lowOf(work: Work, index: i32): u64 {
  return index == firstIndex(work) ? work.from % chunk : 0;
}

function highOf(work: Work, index: i32): u64 {
  return index == lastIndex(work) ? (work.to - 1) % chunk + 1 : chunk;
}

function isWritten(work: Work, index: i32): bool {
  return index >= firstIndex(work) && index <= lastIndex(work);
}

/** Whether all of the chunk that matters is written. */
function isCovered(work: Work, index: i32): bool {
  return isWritten(work, index) && lowOf(work, index) <= work.low && highOf(work, index) >= work.high;
}

/** The new bytes of a chunk, in the record. */
function newData(work: Work, index: i32): usize {
  return work.buffer + <usize>(BLOCK + index * chunk + lowOf(work, index) - work.from);
}

/** Room for a chunk, the part of it that matters; the last one is for the parity. */
function slot(work: Work, index: i32): usize {
  return work.chunks + <usize>index * <usize>(work.high - work.low);
}

/** Begins with a row: what is needed to find the parity is read. */
export function startWrite(work: Work): void {
  if (phase == Phase.Failed) return finish(work, Errno.EIO);
  const single = firstIndex(work) == lastIndex(work);
  work.low = single ? work.from % chunk : 0;
  work.high = single ? (work.to - 1) % chunk + 1 : chunk;
  if (!work.buffer && !takeRecord(work)) return finish(work, Errno.ENOMEM);
  const unusable = absent >= 0 && !isUsable(absent, work.row) ? absent : -1;
  if (unusable >= 0 && work.avoid >= 0 && unusable != work.avoid) return finish(work, Errno.EIO);
  work.mode = modeOf(work, unusable);
  openGroup(work, haveOld);
  if (work.mode == Mode.Change) readChanged(work);
  else if (work.mode != Mode.None) readWhole(work, unusable >= 0 ? unusable : work.avoid);
  closeGroup(work);
}

/** Memory for the record and for chunks; the data is copied, as it has to stay when the client is told. */
function takeRecord(work: Work): bool {
  const width = work.high - work.low;
  const data = (work.to - work.from + 15) & ~15;
  const record = (BLOCK + data + width + BLOCK - 1) & ~(BLOCK - 1);
  if (!takeBuffer(work, <usize>(record + width * (dataCount() + 1)))) return false;
  work.recordBytes = <usize>record;
  work.parity = work.buffer + <usize>(BLOCK + data);
  work.chunks = work.buffer + <usize>record;
  memory.fill(work.buffer, 0, <usize>BLOCK);
  memory.copy(work.buffer + <usize>BLOCK, work.data, <usize>(work.to - work.from));
  const end = work.parity + <usize>width;
  memory.fill(end, 0, work.chunks - end);
  return true;
}

function modeOf(work: Work, unusable: i32): i32 {
  const parity = parityOf(work.row);
  if (parity == unusable) return Mode.None;
  const unreadable = unusable >= 0 ? unusable : work.avoid;
  if (unreadable == parity) return Mode.Whole;
  let uncovered = 0;
  for (let index = 0; index < dataCount(); index++) {
    const covered = isCovered(work, index);
    if (!covered) uncovered++;
    if (deviceOf(work.row, index) != unreadable) continue;
    if (!isWritten(work, index)) return Mode.Change;
    return covered ? Mode.Whole : Mode.Restore;
  }
  if (unreadable >= 0) return Mode.Whole;
  return lastIndex(work) - firstIndex(work) + 2 < uncovered ? Mode.Change : Mode.Whole;
}

function readInto(work: Work, device: i32, pointer: usize, low: u64, high: u64): void {
  const at = offsetOf(work.row) + low;
  track(work, device, nextPread(own, device, pointer, high - low, at, 0, tokenFor(work, device)));
}

function readChanged(work: Work): void {
  for (let index = firstIndex(work); index <= lastIndex(work); index++) {
    const low = lowOf(work, index);
    const pointer = slot(work, index) + <usize>(low - work.low);
    readInto(work, deviceOf(work.row, index), pointer, low, highOf(work, index));
  }
  readInto(work, parityOf(work.row), work.parity, work.low, work.high);
}

function readWhole(work: Work, unreadable: i32): void {
  const all = work.mode == Mode.Restore;
  for (let index = 0; index < dataCount(); index++) {
    const device = deviceOf(work.row, index);
    if (device == unreadable || (!all && isCovered(work, index))) continue;
    readInto(work, device, slot(work, index), work.low, work.high);
  }
  if (all) readInto(work, parityOf(work.row), slot(work, dataCount()), work.low, work.high);
}

/** What was there is read: the parity can be found, and the record be written. */
function haveOld(pointer: usize): void {
  const work = changetype<Work>(pointer);
  if (work.failed) {
    countFailure();
    if (popcnt(work.failed) > 1 || work.avoid >= 0) return finish(work, work.errno);
    // One can be done without.
    work.avoid = ctz(work.failed);
    return startWrite(work);
  }
  if (work.mode == Mode.Change) changeParity(work);
  else if (work.mode != Mode.None) wholeParity(work);
  const record = changetype<Record>(work.buffer);
  record.row = work.row;
  record.from = work.from;
  record.to = work.to;
  record.low = work.low;
  record.high = work.mode == Mode.None ? work.low : work.high;
  record.parityAt = work.parity - work.buffer;
  enqueue(work);
  // Whoever has started this one from within `pump` has the journal written; otherwise it is done here.
  pump();
}

function changeParity(work: Work): void {
  for (let index = firstIndex(work); index <= lastIndex(work); index++) {
    const low = lowOf(work, index);
    const length = <usize>(highOf(work, index) - low);
    const skip = <usize>(low - work.low);
    xorInto(work.parity + skip, slot(work, index) + skip, length);
    xorInto(work.parity + skip, newData(work, index), length);
  }
}

function wholeParity(work: Work): void {
  const width = <usize>(work.high - work.low);
  if (work.mode == Mode.Restore) restore(work, width);
  memory.fill(work.parity, 0, width);
  for (let index = 0; index < dataCount(); index++) {
    if (isCovered(work, index)) {
      xorInto(work.parity, newData(work, index), width);
      continue;
    }
    if (isWritten(work, index)) {
      const low = lowOf(work, index);
      const pointer = slot(work, index) + <usize>(low - work.low);
      memory.copy(pointer, newData(work, index), <usize>(highOf(work, index) - low));
    }
    xorInto(work.parity, slot(work, index), width);
  }
}

/** Makes the chunk that cannot be read out of the others. */
function restore(work: Work, width: usize): void {
  const lost = absent >= 0 && !isUsable(absent, work.row) ? absent : work.avoid;
  let target = -1;
  for (let index = 0; index < dataCount(); index++) {
    if (deviceOf(work.row, index) == lost) target = index;
  }
  memory.copy(slot(work, target), slot(work, dataCount()), width);
  for (let index = 0; index < dataCount(); index++) {
    if (index != target) xorInto(slot(work, target), slot(work, index), width);
  }
}

/** The record is safe: data and parity go where they belong. */
export function putInPlace(work: Work): void {
  openGroup(work, inPlace);
  const at = offsetOf(work.row);
  for (let index = firstIndex(work); index <= lastIndex(work); index++) {
    const device = deviceOf(work.row, index);
    if (!isUsable(device, work.row)) continue;
    const low = lowOf(work, index);
    const length = highOf(work, index) - low;
    const token = tokenFor(work, device);
    track(work, device, nextPwrite(own, device, newData(work, index), length, at + low, 0, token));
  }
  const parity = parityOf(work.row);
  if (work.mode != Mode.None && isUsable(parity, work.row)) {
    const length = work.high - work.low;
    const token = tokenFor(work, parity);
    track(work, parity, nextPwrite(own, parity, work.parity, length, at + work.low, 0, token));
  }
  closeGroup(work);
}

function inPlace(pointer: usize): void {
  const work = changetype<Work>(pointer);
  if (work.failed) loseDevices(work.failed, work.errno, "a write");
  isDone(work.entry);
  finish(work, phase == Phase.Failed ? <i32>Errno.EIO : 0);
}
