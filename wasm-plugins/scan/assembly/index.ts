// SPDX-License-Identifier: MIT
// Has what is below get the whole disk ready, from the front to the end, while clients are there
// (README.md beside this folder). One piece at a time, and after what clients ask for.

import {
  alloc,
  begin,
  cancel,
  closeHandle,
  contextOf,
  end,
  Errno,
  infoOf,
  logLine,
  LogLevel,
  metric,
  nextCache,
  nextClose,
  nextOpen,
  nextSize,
  openHandle,
  OpenFlag,
  pass,
  PENDING,
  say,
  sayErrno,
  Support,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** After requests of clients the next piece waits so long: 1 ms. */
const GIVE_WAY: u64 = 1_000_000;
/** Clients of the export that is scanned, and others. */
const SCANNED: u32 = 1;
const OTHER: u32 = 0;

let staysAhead = true;
let goesOn = true;
let forever = false;
let pieceSize: u64 = 2 << 20;

/** The export that is scanned: the first that is opened. */
let exportName: usize = 0;
let exportNameLength: usize = 0;
let clients: i32 = 0;
/** The filter's own handle below; -1: nothing is scanned. */
let own: i32 = -1;
let size: u64 = 0;
let mask: u64 = 0;
let position: u64 = 0;
let useless = false;
let known = false;
/** Token of the timer for the next piece; 0: none is set. */
let waiting: i32 = 0;
let underWay = false;
/** A client has asked for something since the last piece. */
let asked = false;
let failed = false;
let total: i64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) staysAhead = value != 0;
  else if (index == 1) goesOn = value != 0;
  else if (index == 2) forever = value != 0;
  else pieceSize = value;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (!known) {
    exportName = nameLength ? alloc(nameLength, 1) : 0;
    if (nameLength && !exportName) return -Errno.ENOMEM;
    if (nameLength) memory.copy(exportName, name, nameLength);
    exportNameLength = nameLength;
    known = true;
  }
  const isScanned = nameLength == exportNameLength &&
    !memory.compare(name, exportName, nameLength);
  const handle = openHandle(isScanned ? SCANNED : OTHER);
  if (handle < 0) return -Errno.ENOMEM;
  if (!isScanned || clients++) return handle;
  own = nextOpen(name, nameLength, OpenFlag.ReadOnly);
  if (!goesOn) position = 0;
  return handle;
}

export function sb_close(handle: i32): void {
  const isScanned = contextOf(handle) == SCANNED;
  closeHandle(handle);
  if (!isScanned || --clients) return;
  if (waiting && cancel(waiting)) end(taskOf<Task>(waiting));
  waiting = 0;
  if (own >= 0) nextClose(own);
  own = -1;
}

export function sb_size(handle: i32): i64 {
  const below = nextSize(handle, 0);
  if (contextOf(handle) != SCANNED || own < 0 || below < 0) return below;
  const info = infoOf(handle, 0);
  size = below;
  mask = info.blockMinimum - 1;
  if (info.cache == Support.None && !useless) {
    say("nothing is scanned: what is below has no use for it; the filter cache below would have");
    logLine(LogLevel.Warning);
    useless = true;
  }
  if (!useless) later(0);
  return below;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const status = pass(request, count, offset, flags);
  if (contextOf(handle) != SCANNED) return status;
  asked = true;
  if (staysAhead) position = max(position, offset + count);
  return status;
}

/** Goes on after `delay`. */
function later(delay: u64): void {
  if (waiting || underWay || own < 0) return;
  if (position >= size && !(forever && size)) return;
  const task = begin<Task>(next);
  if (!task) return;
  if (timer(delay, token(task))) end(task);
  else waiting = token(task);
}

/** Asks for the next piece. */
function next(at: i32, result: i32): void {
  const task = taskOf<Task>(at);
  waiting = 0;
  if (asked) {
    asked = false;
    end(task);
    return later(GIVE_WAY);
  }
  if (position >= size) position = 0;
  const from = position & ~mask;
  const count = min(pieceSize, size - from);
  position = from + count;
  underWay = true;
  total += count;
  metric(0, total);
  task.then = arrived.index;
  const status = nextCache(own, 0, count, from, 0, at);
  if (status != PENDING) arrived(at, status);
}

function arrived(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  underWay = false;
  if (result && !failed) {
    say("cannot get everything ready: the device below failed with ");
    sayErrno(result);
    logLine(LogLevel.Warning);
    failed = true;
  }
  // A disk that fails at once, or that is there at once, is not asked again and again without end.
  later(result || position >= size ? 1000 * GIVE_WAY : 0);
}
