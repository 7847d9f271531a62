// SPDX-License-Identifier: MIT
// Brings changes below, the oldest first, a few at a time, neighbours together. Those in the cache file
// are read into memory first.

import {
  alloc,
  begin,
  end,
  Errno,
  filePread,
  free,
  logLine,
  LogLevel,
  metric,
  nextPwrite,
  PENDING,
  say,
  sayErrno,
  sayNumber,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf } from "../../lib/blocks/assembly/map";
import { file, placeOf } from "./file";
import {
  age,
  blockBits,
  blockMask,
  DIRTY,
  diskSize,
  dirtyCount,
  firstDirty,
  FLAGS,
  itemOf,
  land,
  nextAge,
  onDisk,
  sendOff,
  unitOf,
  unitStep,
  WRITING,
} from "./store";
import { isPassing, movesEnded } from "./operations";

/** Pieces that are under way at a time. */
const MOVES_MAX: i32 = 16;
/** Largest piece. */
const MOVE_BYTES_MAX: u64 = 1 << 20;
/** Bytes that one call brings below at most, where that takes no waiting. */
const CALL_BYTES_MAX: u64 = 64 << 20;

/** Blocks `from` to `to` - 1 on their way below. */
@unmanaged
class Move extends Task {
  index: i32;
  /** Age of the oldest change in it. */
  age: u32;
  from: u64;
  to: u64;
  /** With a cache file: memory that the bytes pass through, and whether they are still to be read. */
  buffer: usize;
  bytes: usize;
  reading: bool;
}

const moves = memory.data(64);
let moving: i32 = 0;
/** The filter's own handle below, for writing. */
let handle: i32 = -1;
let moveBytesMax: u64 = 4096;
/** Changes of ages below this are to be written. */
let wantedAge: u32 = 0;
let resumes = false;
/** The first error that no flush has been told of. */
let failure: i32 = 0;
let written: u64 = 0;

/** Writes through `own`, in pieces that the child takes. */
export function setUpWriteBack(own: i32, childMaximum: u32): void {
  handle = own;
  moveBytesMax = max(min(MOVE_BYTES_MAX, <u64>childMaximum), blockMask + 1);
}

/** Begins to write all that is dirty now. Returns the age that has to be clean for that to be done. */
export function writeAll(): u32 {
  const last = nextAge();
  wantedAge = age;
  pump();
  return last;
}

/** Whether there are no changes of `last` and older ages any more, and none on their way. */
export function isClean(last: u32): bool {
  if (firstDirty && itemOf(firstDirty).age <= last) return false;
  if (!moving) return true;
  for (let i = 0; i < MOVES_MAX; i++) {
    const at = load<usize>(moves + (<usize>i << 2));
    if (at && changetype<Move>(at).age <= last) return false;
  }
  return true;
}

/** The first error since the last time that this was asked; 0 where there was none. */
export function takeFailure(): i32 {
  const errno = failure;
  failure = 0;
  return errno;
}

/** Whether changes are on their way, so that some will become clean. */
export function isWriting(): bool {
  return moving > 0 || resumes;
}

/** Sends pieces until enough are under way. */
export function pump(): void {
  let budget = CALL_BYTES_MAX;
  while (moving < MOVES_MAX && firstDirty && itemOf(firstDirty).age < wantedAge) {
    const unit = sendable();
    const bytes = unit ? send(unit) : 0;
    if (!bytes) return;
    if (bytes < budget) budget -= bytes;
    else if (later()) return;
    else budget = CALL_BYTES_MAX;
  }
}

/** Goes on in another call, as this one has done enough. */
function later(): bool {
  if (resumes) return true;
  const task = begin<Task>(resume);
  if (!task) return false;
  resumes = !timer(0, token(task));
  if (!resumes) end(task);
  return resumes;
}

function resume(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  resumes = false;
  pump();
  movesEnded();
}

/** The unit with the oldest change that is to be written and may be; 0 where there is none. */
function sendable(): usize {
  let unit = firstDirty;
  while (unit && itemOf(unit).age < wantedAge) {
    const block = itemOf(unit).block;
    if (!isPassing(block, block)) return unit;
    unit = itemOf(unit).dirtyAfter;
  }
  return 0;
}

/** Whether `block` is dirty, lies in `unit`, and may be written. */
// @ts-ignore: decorator
@inline
function isNeighbour(block: u64, unit: usize): bool {
  const entry = entryOf(block);
  return (entry & (DIRTY | WRITING)) == DIRTY && unitOf(entry) == unit && !isPassing(block, block);
}

/** Sends a change with what lies around it. Returns its bytes. */
function send(unit: usize): u64 {
  const move = begin<Move>(arrived);
  if (!move) return 0;
  const bytes = unitStep;
  const most = moveBytesMax >> blockBits;
  let from = itemOf(unit).block;
  let first = unit;
  let to = from + 1;
  while (to - from < most && from && isNeighbour(from - 1, first - bytes)) {
    from--;
    first -= bytes;
  }
  let last = unit + bytes;
  while (to - from < most && to << blockBits < diskSize && isNeighbour(to, last)) {
    to++;
    last += bytes;
  }
  move.from = from;
  move.to = to;
  move.age = itemOf(unit).age;
  for (let block = from; block < to; block++) sendOff(block);
  let index = 0;
  while (load<usize>(moves + (<usize>index << 2))) index++;
  move.index = index;
  store<usize>(moves + (<usize>index << 2), changetype<usize>(move));
  moving++;
  const offset = from << blockBits;
  const count = min(to << blockBits, diskSize) - offset;
  move.bytes = <usize>count;
  const status = onDisk ? readFirst(move, first) : write(move, first);
  if (status != PENDING) finish(move, status);
  return count;
}

function write(move: Move, data: usize): i32 {
  return nextPwrite(handle, 0, data, move.bytes, move.from << blockBits, 0, token(move));
}

/** Reads the changes from the cache file, `slot` being the first, and then writes them. */
function readFirst(move: Move, slot: usize): i32 {
  move.reading = true;
  move.buffer = alloc(move.bytes, 4096);
  if (!move.buffer) return Errno.ENOMEM;
  const status = filePread(file, move.buffer, move.bytes, placeOf(slot, 0), 0, token(move));
  return status ? status : writeRead(move);
}

function writeRead(move: Move): i32 {
  move.reading = false;
  return write(move, move.buffer);
}

function arrived(at: i32, result: i32): void {
  const move = taskOf<Move>(at);
  if (move.reading && !result) result = writeRead(move);
  if (result == PENDING) return;
  finish(move, result);
  pump();
  movesEnded();
}

function finish(move: Move, errno: i32): void {
  store<usize>(moves + (<usize>move.index << 2), 0);
  moving--;
  if (errno) tell(move, errno);
  else {
    written += (move.to - move.from) << blockBits;
    metric(Metric.Written, written);
  }
  for (let block = move.from; block < move.to; block++) land(block, !errno);
  if (move.buffer) free(move.buffer, move.bytes);
  end(move);
}

/** What could not be written stays dirty, as if changed now, until something asks for it to be written. */
function tell(move: Move, errno: i32): void {
  if (!failure) {
    say("cannot write back ");
    sayNumber((move.to - move.from) << blockBits);
    say(" bytes at ");
    sayNumber(move.from << blockBits);
    say(move.reading ? ": reading them from the cache failed with " : ": the device below failed with ");
    sayErrno(errno);
    say("; they stay in the cache");
    logLine(LogLevel.Error);
    failure = errno;
  }
}

/** Metrics by their position in the manifest. */
export const enum Metric {
  Cached = 0,
  Dirty = 1,
  Hits = 2,
  Misses = 3,
  Written = 4,
}
