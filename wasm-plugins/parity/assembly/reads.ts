// SPDX-License-Identifier: MIT
// Reads: chunks of devices that are in order are forwarded, and sent from where they lie. What is absent, or
// cannot be read, is made out of the other chunks of its row.

import {
  begin,
  CallFlag,
  complete,
  end,
  Errno,
  failWith,
  logLine,
  LogLevel,
  nextCount,
  nextForward,
  nextPread,
  PENDING,
  replyBuffer,
  replyRestart,
  say,
  sayErrno,
  sayNumber,
  Task,
} from "../../sdk/assemblyscript/assembly";
import { xorInto } from "./bytes";
import { countFailure, isUsable, own } from "./devices";
import { closeGroup, openGroup, tokenFor, track } from "./group";
import { chunk, dataCount, deviceOf, offsetOf } from "./layout";
import { addWork, endWork, Kind, pump, takeBuffer, Work } from "./rows";

/** A client's read. */
@unmanaged
class Reading extends Task {
  request: i32;
  /** Pieces that are under way. */
  left: i32;
  errno: i32;
  count: u64;
  offset: u64;
  /** A piece that was forwarded has failed. */
  failed: bool;
  /** Everything is read by the array itself. */
  second: bool;
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot read from the array: no memory");
}

/** sb_pread. */
export function read(request: i32, count: u64, offset: u64): i32 {
  const reading = begin<Reading>(forwarded);
  if (!reading) return noMemory();
  reading.request = request;
  reading.count = count;
  reading.offset = offset;
  return ask(reading);
}

/** Asks for all pieces. Returns what the call is to return, and ends the read unless that is PENDING. */
function ask(reading: Reading): i32 {
  reading.left = 1;
  for (let at: u64 = 0; at < reading.count && !reading.failed && !reading.errno;) {
    const index = (reading.offset + at) / chunk;
    const within = (reading.offset + at) % chunk;
    const length = min(chunk - within, reading.count - at);
    askPiece(reading, at, index / dataCount(), <i32>(index % dataCount()), within, length);
    at += length;
  }
  pump();
  if (--reading.left) return PENDING;
  return conclude(reading);
}

function askPiece(reading: Reading, at: u64, row: u64, index: i32, low: u64, length: u64): void {
  const device = deviceOf(row, index);
  if (!reading.second && isUsable(device, row)) {
    const from = offsetOf(row) + low;
    const token = <i32>changetype<usize>(reading);
    const status = nextForward(reading.request, device, at, length, from, CallFlag.Whole, token);
    if (status == PENDING) reading.left++;
    else if (status) failPiece(reading);
    return;
  }
  const buffer = replyBuffer(reading.request, at, length);
  const work = buffer ? addWork(Kind.Read, row, changetype<usize>(reading)) : null;
  if (!work) {
    reading.errno = Errno.ENOMEM;
    return;
  }
  work.data = buffer;
  work.index = index;
  work.low = low;
  work.high = low + length;
  reading.left++;
}

function failPiece(reading: Reading): void {
  reading.failed = true;
  countFailure();
}

function forwarded(token: i32, result: i32): void {
  const reading = changetype<Reading>(<usize>token);
  if (result) failPiece(reading);
  pieceDone(reading);
}

function pieceDone(reading: Reading): void {
  if (--reading.left) return;
  const request = reading.request;
  const status = conclude(reading);
  if (status != PENDING) complete(request, status);
}

/** All pieces have ended. Where one has failed, everything is read once more, by other means. */
function conclude(reading: Reading): i32 {
  if (reading.failed && !reading.errno) {
    reading.failed = false;
    reading.second = true;
    replyRestart(reading.request);
    return ask(reading);
  }
  const errno = reading.errno;
  end(reading);
  return errno;
}

/** Begins with a piece: its device is asked, if it is in order. */
export function startRead(work: Work): void {
  const device = deviceOf(work.row, work.index);
  if (!isUsable(device, work.row)) return restore(work);
  openGroup(work, haveDirect);
  const at = offsetOf(work.row) + work.low;
  const token = tokenFor(work, device);
  track(work, device, nextPread(own, device, work.data, work.high - work.low, at, 0, token));
  closeGroup(work);
}

function haveDirect(pointer: usize): void {
  const work = changetype<Work>(pointer);
  if (!work.failed) return finish(work, 0);
  say("device ");
  sayNumber(deviceOf(work.row, work.index));
  say(" cannot read ");
  sayNumber(work.high - work.low);
  say(" bytes at ");
  sayNumber(offsetOf(work.row) + work.low);
  say(": ");
  sayErrno(work.errno);
  logLine(LogLevel.Warning);
  countFailure();
  restore(work);
}

/** Reads the same part of all other chunks of the row. */
function restore(work: Work): void {
  const target = deviceOf(work.row, work.index);
  const width = <usize>(work.high - work.low);
  if (!takeBuffer(work, width * nextCount())) return finish(work, Errno.ENOMEM);
  openGroup(work, haveOthers);
  for (let device = 0; device < nextCount(); device++) {
    if (device == target) continue;
    if (!isUsable(device, work.row)) {
      track(work, device, Errno.EIO);
      continue;
    }
    const buffer = work.buffer + <usize>device * width;
    const at = offsetOf(work.row) + work.low;
    track(work, device, nextPread(own, device, buffer, width, at, 0, tokenFor(work, device)));
  }
  closeGroup(work);
}

function haveOthers(pointer: usize): void {
  const work = changetype<Work>(pointer);
  if (work.failed) {
    countFailure();
    return finish(work, work.errno);
  }
  const width = <usize>(work.high - work.low);
  const target = deviceOf(work.row, work.index);
  memory.fill(work.data, 0, width);
  for (let device = 0; device < nextCount(); device++) {
    if (device != target) xorInto(work.data, work.buffer + <usize>device * width, width);
  }
  finish(work, 0);
}

function finish(work: Work, errno: i32): void {
  const reading = changetype<Reading>(work.owner);
  endWork(work);
  if (errno) reading.errno = errno;
  pieceDone(reading);
  pump();
}
