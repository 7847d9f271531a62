// SPDX-License-Identifier: MIT
// Commit: brings the overlay below, in the background, a few pieces at a time. What is on its way is
// not changed until it has arrived; what has arrived leaves the overlay.

import {
  begin,
  CallFlag,
  end,
  logLine,
  LogLevel,
  metric,
  nextFlush,
  nextPwrite,
  nextZero,
  PENDING,
  say,
  sayErrno,
  sayNumber,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { ABSENT, entryOf, HOLE, spanEnd } from "../../lib/blocks/assembly/map";
import {
  blockBits,
  blockCount,
  blockMask,
  diskSize,
  forget,
  lengthOf,
  unitOf,
} from "./overlay";
import { resumeWaiting } from "./index";

/** Pieces that are under way at a time. */
const PIECES_MAX: i32 = 8;
/** Largest piece of data, and of a hole. */
const DATA_BYTES_MAX: u64 = 1 << 20;
const HOLE_BYTES_MAX: u64 = 1 << 30;
/** Bytes that one call brings below at most, where that takes no waiting. */
const CALL_BYTES_MAX: u64 = 64 << 20;

/** A piece on its way: blocks `from` to `to` - 1. */
@unmanaged
class Move extends Task {
  active: bool;
  index: i32;
  from: u64;
  to: u64;
}

/** The pieces that are under way. */
const moves = memory.data(64);
let moving: i32 = 0;

/** The filter's own handle below; -1: changes are never brought there. */
let handle: i32 = -1;
let dataBytesMax: u64 = 0;
let running = false;
/** All has been sent, and the flush is under way. */
let flushing = false;
let canFlush = false;
/** To be begun once more when it has ended. */
let again = false;
/** Next block to look at. */
let cursor: u64 = 0;
let bytes: u64 = 0;
let total: u64 = 0;
let failure: i32 = 0;

/** Commits go through `own`, in pieces of data that the child takes. */
export function setUpCommit(own: i32, childMaximum: u32, childFlushes: bool): void {
  handle = own;
  canFlush = childFlushes;
  dataBytesMax = max(min(DATA_BYTES_MAX, <u64>childMaximum), blockMask + 1);
}

/** Begins to bring all of the overlay below, unless that is being done. False where it never is. */
export function startCommit(): bool {
  if (handle < 0) return false;
  if (running) return true;
  running = true;
  cursor = 0;
  bytes = 0;
  failure = 0;
  pump();
  return true;
}

/** Brings all of the overlay below, also what was changed behind a commit that is under way. */
export function finishCommit(): void {
  again = running;
  startCommit();
}

/** Whether changes leave the overlay at some time. */
// @ts-ignore: decorator
@inline
export function mayCommit(): bool {
  return handle >= 0;
}

/** Whether some of the blocks from `first` to `last` are on their way. */
export function anyMoving(first: u64, last: u64): bool {
  if (!moving) return false;
  for (let i = 0; i < PIECES_MAX; i++) {
    const at = load<usize>(moves + (<usize>i << 2));
    if (!at) continue;
    const move = changetype<Move>(at);
    if (first < move.to && last >= move.from) return true;
  }
  return false;
}

function pump(): void {
  if (!running || flushing) return;
  let budget = CALL_BYTES_MAX;
  while (!failure && moving < PIECES_MAX && cursor < blockCount) {
    const entry = entryOf(cursor);
    if (entry == ABSENT || (entry > HOLE && !unitOf(entry))) {
      cursor = spanEnd;
      continue;
    }
    const moved = send(entry);
    if (moved >= budget) {
      if (later()) return;
      budget = CALL_BYTES_MAX;
    } else budget -= moved;
  }
  if (!moving && (failure || cursor >= blockCount)) conclude();
}

/** Goes on in another call. */
function later(): bool {
  const task = begin<Task>(resume);
  if (!task) return false;
  if (!timer(0, token(task))) return true;
  end(task);
  return false;
}

function resume(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  pump();
}

/** Sends the next piece, which begins at `cursor`. Returns its bytes. */
function send(entry: u32): u64 {
  const move = begin<Move>(moved);
  if (!move) {
    failure = 12;
    return 0;
  }
  const from = cursor;
  const unit = unitOf(entry);
  const most = from + ((unit ? dataBytesMax : HOLE_BYTES_MAX) >> blockBits);
  let to = min(spanEnd, most);
  for (; to < blockCount && to < most; to = min(spanEnd, most)) {
    const other = entryOf(to);
    const wanted = unit ? <u32>(unit + (<usize>(to - from) << blockBits)) : HOLE;
    if (other != wanted) break;
  }
  to = min(to, blockCount);
  cursor = to;
  move.from = from;
  move.to = to;
  let index = 0;
  while (load<usize>(moves + (<usize>index << 2))) index++;
  move.index = index;
  store<usize>(moves + (<usize>index << 2), changetype<usize>(move));
  moving++;
  const offset = from << blockBits;
  const count = min(to << blockBits, diskSize) - offset;
  const status = unit
    ? nextPwrite(handle, 0, unit, count, offset, 0, token(move))
    : nextZero(handle, 0, count, offset, CallFlag.MayTrim, token(move));
  if (status != PENDING) arrived(move, status);
  return count;
}

function moved(at: i32, result: i32): void {
  arrived(taskOf<Move>(at), result);
  resumeWaiting();
  pump();
}

/** A piece is below now, or has failed: then it stays in the overlay. */
function arrived(move: Move, errno: i32): void {
  store<usize>(moves + (<usize>move.index << 2), 0);
  moving--;
  if (errno) {
    failure = errno;
    say("cannot commit ");
    sayNumber((move.to - move.from) << blockBits);
    say(" bytes at ");
    sayNumber(move.from << blockBits);
    say(": the device below failed with ");
    sayErrno(errno);
    say("; they stay in memory");
    logLine(LogLevel.Error);
  } else {
    let count = (move.to - move.from - 1) << blockBits;
    count += lengthOf(move.to - 1);
    bytes += count;
    total += count;
    metric(1, total);
    forget(move.from, move.to, ABSENT);
  }
  end(move);
}

/** All has arrived: makes it durable. */
function conclude(): void {
  flushing = true;
  if (failure || !canFlush) return tell();
  const task = begin<Task>(flushed);
  if (!task) return tell();
  const status = nextFlush(handle, 0, 0, token(task));
  if (status != PENDING) flushed(token(task), status);
}

function flushed(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  if (result) {
    say("cannot flush what was committed: the device below failed with ");
    sayErrno(result);
    logLine(LogLevel.Error);
    bytes = 0;
  }
  tell();
}

function tell(): void {
  if (bytes) {
    say("committed ");
    sayNumber(bytes);
    say(" bytes");
    logLine(LogLevel.Info);
  }
  running = false;
  flushing = false;
  resumeWaiting();
  if (!again) return;
  again = false;
  startCommit();
}

/** Bytes that commits have brought below so far. */
export function committedBytes(): u64 {
  return total;
}

/** Whether a commit is under way, which may make room. */
export function isCommitting(): bool {
  return running;
}
