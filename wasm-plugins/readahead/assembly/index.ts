// SPDX-License-Identifier: MIT
// Tells what is below what a client is going to read (README.md beside this folder), as soon as it reads
// one piece after the other. Reads go on at once; what is ahead of them is asked for after that.

import {
  alloc,
  begin,
  closeHandle,
  contextOf,
  end,
  Errno,
  free,
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
  Support,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** What is asked for ahead of the second of two reads in a row. */
const WINDOW_MIN: u64 = 64 << 10;
/** Requests for one client that are under way. */
const BUSY_MAX: i32 = 4;

let windowMax: u64 = 4 << 20;
let told = false;
let total: i64 = 0;

/** What one client reads. */
@unmanaged
class Stream {
  /** The filter's own handle below; -1: there is none, and nothing is read ahead. */
  own: i32;
  /** Requests ahead that are under way, or about to be made. */
  busy: i32;
  /** The client has gone; the last of them frees this. */
  closed: bool;
  /** One is about to be made. */
  due: bool;
  size: u64;
  mask: u64;
  /** Where the next read begins if it is the next one. */
  expected: u64;
  /** How far what is below was told. */
  ahead: u64;
  window: u64;
}

/** Something under way for a stream. */
@unmanaged
class Step extends Task {
  stream: usize;
  bytes: u64;
}

export function sb_param_int(index: i32, value: i64): void {
  windowMax = value;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const pointer = alloc(offsetof<Stream>(), 8);
  if (!pointer) return -Errno.ENOMEM;
  memory.fill(pointer, 0, offsetof<Stream>());
  const handle = openHandle(<u32>pointer);
  if (handle < 0) {
    free(pointer, offsetof<Stream>());
    return -Errno.ENOMEM;
  }
  // A client of whom there are too many is served all the same.
  changetype<Stream>(pointer).own = nextOpen(name, nameLength, OpenFlag.ReadOnly);
  return handle;
}

export function sb_close(handle: i32): void {
  const pointer = <usize>contextOf(handle);
  const stream = changetype<Stream>(pointer);
  closeHandle(handle);
  if (stream.own >= 0) nextClose(stream.own);
  stream.own = -1;
  stream.closed = true;
  if (!stream.busy) free(pointer, offsetof<Stream>());
}

export function sb_size(handle: i32): i64 {
  const stream = changetype<Stream>(<usize>contextOf(handle));
  const size = nextSize(handle, 0);
  const info = infoOf(handle, 0);
  stream.size = max(size, 0);
  stream.mask = info.blockMinimum - 1;
  if (stream.own >= 0 && info.cache == Support.None) {
    nextClose(stream.own);
    stream.own = -1;
    if (!told) {
      say("nothing is read ahead: what is below has no use for it; the filter cache below would");
      logLine(LogLevel.Warning);
    }
    told = true;
  }
  return size;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const status = pass(request, count, offset, flags);
  const stream = changetype<Stream>(<usize>contextOf(handle));
  if (stream.own >= 0) note(stream, offset, offset + count);
  return status;
}

/** A client has asked for what lies from `from` to `to`. */
function note(stream: Stream, from: u64, to: u64): void {
  const isNext = from == stream.expected ||
    (from > stream.expected && from - stream.expected <= stream.window);
  if (!isNext) {
    stream.window = 0;
    stream.expected = to;
    stream.ahead = to;
    return;
  }
  stream.window = min(max(stream.window << 1, WINDOW_MIN), windowMax);
  stream.expected = max(stream.expected, to);
  stream.ahead = max(stream.ahead, stream.expected);
  if (stream.due || stream.busy >= BUSY_MAX) return;
  if (stream.ahead >= stream.size || stream.ahead - stream.expected > stream.window >> 1) return;
  // Not now: the answer to the client comes first.
  const step = begin<Step>(ask);
  if (!step) return;
  step.stream = changetype<usize>(stream);
  if (timer(0, token(step))) return end(step);
  stream.due = true;
  stream.busy++;
}

/** Asks for what lies ahead. */
function ask(at: i32, result: i32): void {
  const step = taskOf<Step>(at);
  const stream = changetype<Stream>(step.stream);
  stream.due = false;
  const stop = min((stream.expected + stream.window + stream.mask) & ~stream.mask, stream.size);
  const from = stream.ahead & ~stream.mask;
  if (stream.own < 0 || stop <= from) return finish(step);
  stream.ahead = stop;
  step.bytes = stop - from;
  step.then = arrived.index;
  const status = nextCache(stream.own, 0, step.bytes, from, 0, token(step));
  if (status != PENDING) arrived(at, status);
}

function arrived(at: i32, result: i32): void {
  const step = taskOf<Step>(at);
  if (!result) {
    total += step.bytes;
    metric(0, total);
  }
  finish(step);
}

function finish(step: Step): void {
  const stream = changetype<Stream>(step.stream);
  end(step);
  if (!--stream.busy && stream.closed) free(changetype<usize>(stream), offsetof<Stream>());
}
