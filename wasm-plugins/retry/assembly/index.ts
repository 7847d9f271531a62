// SPDX-License-Identifier: MIT
// Tries again what has failed (README.md beside this folder): after a while, which may grow, and with
// what is below opened again before.

import {
  alloc,
  begin,
  closeHandle,
  complete,
  contextOf,
  end,
  Errno,
  fail,
  failWith,
  free,
  logLine,
  LogLevel,
  metric,
  nextForward,
  nextReopen,
  nextSize,
  openHandle,
  OpenFlag,
  pass,
  PENDING,
  say,
  sayBytes,
  sayErrno,
  sayNumber,
  Task,
  taskOf,
  then,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { choose, isWorth } from "./errors";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Flag of a read that has failed as a whole when a piece of it has. */
const WHOLE: i32 = 16;
/** The longest that one try waits for: an hour. */
const DELAY_MAX: u64 = 3_600_000_000_000;

/** Metrics by their position in the manifest. */
const enum Metric {
  Retries = 0,
  Reopens = 1,
  Failures = 2,
}

let retriesMax: i32 = 5;
let delay: u64 = 2_000_000_000;
let isExponential = true;
let reopens = true;
let readOnlyAfter = false;
let wrong: usize = 0;
let wrongLength: usize = 0;

let retryCount: i64 = 0;
let reopenCount: i64 = 0;
let failureCount: i64 = 0;

/** A client. */
@unmanaged
class Client {
  /** How often what is below was opened again. */
  generation: u32;
  /** It is open read-only since then. */
  readOnly: bool;
}

/** A request that is under way below, or waits for the next try. */
@unmanaged
class Attempt extends Task {
  handle: i32;
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
  tries: i32;
  /** That of the client when it was tried last. */
  generation: u32;
  writes: bool;
}

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) retriesMax = <i32>value;
  else if (index == 1) delay = value;
  else if (index == 2) isExponential = value != 0;
  else if (index == 3) reopens = value != 0;
  else readOnlyAfter = value != 0;
}

export function sb_param_bytes(index: i32, bytes: usize, length: usize): void {
  if (choose(bytes, length) || wrong) return;
  wrong = alloc(max(length, 1), 1);
  wrongLength = wrong ? length : 0;
  memory.copy(wrong, bytes, wrongLength);
}

export function sb_ready(): i32 {
  if (!wrong) return 0;
  say("cannot retry on \"");
  sayBytes(wrong, wrongLength);
  say("\": it is neither the name of an error that is known, such as EIO, nor a number");
  return fail(Errno.EINVAL);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const client = alloc(offsetof<Client>(), 8);
  if (!client) return -Errno.ENOMEM;
  memory.fill(client, 0, offsetof<Client>());
  const handle = openHandle(<u32>client);
  if (handle >= 0) return handle;
  free(client, offsetof<Client>());
  return -Errno.ENOMEM;
}

export function sb_close(handle: i32): void {
  free(<usize>contextOf(handle), offsetof<Client>());
  closeHandle(handle);
}

export function sb_size(handle: i32): i64 {
  return nextSize(handle, 0);
}

// @ts-ignore: decorator
@inline
function clientOf(handle: i32): Client {
  return changetype<Client>(<usize>contextOf(handle));
}

/** Passes a request on, and remembers it until it is done. */
function run(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  writes: bool,
): i32 {
  const one = begin<Attempt>(ended);
  if (!one) return pass(request, count, offset, flags);
  one.handle = handle;
  one.request = request;
  one.flags = flags;
  one.count = count;
  one.offset = offset;
  one.writes = writes;
  const status = go(one);
  if (status != PENDING) end(one);
  return status;
}

/** Tries. Returns PENDING, or what became of the request. */
function go(one: Attempt): i32 {
  const client = clientOf(one.handle);
  if (one.writes && client.readOnly) {
    return failWith(Errno.EROFS, "cannot write: after an error the disk was opened read-only again");
  }
  one.generation = client.generation;
  then(one, ended);
  const request = one.request;
  const count = one.count;
  const offset = one.offset;
  const flags = one.flags;
  const status = nextForward(request, 0, 0, count, offset, flags, token(one));
  return status == PENDING || !status ? status : again(one, status);
}

/** A try has ended. */
function ended(at: i32, result: i32): void {
  const one = taskOf<Attempt>(at);
  finish(one, result ? again(one, result) : 0);
}

function finish(one: Attempt, status: i32): void {
  if (status == PENDING) return;
  const request = one.request;
  end(one);
  complete(request, status);
}

/** A try has failed with `errno`: waits for the next one, or gives up and returns the error. */
function again(one: Attempt, errno: i32): i32 {
  if (!isWorth(errno)) return errno;
  if (one.tries >= retriesMax) return giveUp(errno);
  let nanoseconds = delay;
  // Twice as long each time.
  if (isExponential) {
    for (let i = 0; i < one.tries && nanoseconds < DELAY_MAX; i++) nanoseconds <<= 1;
  }
  nanoseconds = min(nanoseconds, DELAY_MAX);
  then(one, retry);
  if (timer(nanoseconds, token(one))) return giveUp(errno);
  one.tries++;
  metric(Metric.Retries, ++retryCount);
  say("a request has failed with ");
  sayErrno(errno);
  say("; trying again in ");
  sayNumber(nanoseconds / 1_000_000);
  say(" ms, ");
  sayNumber(one.tries);
  say(" of ");
  sayNumber(retriesMax);
  logLine(LogLevel.Warning);
  return PENDING;
}

function giveUp(errno: i32): i32 {
  metric(Metric.Failures, ++failureCount);
  return errno;
}

/** It is time for the next try. */
function retry(at: i32, result: i32): void {
  const one = taskOf<Attempt>(at);
  const client = clientOf(one.handle);
  // Several requests may have failed together: what is below is opened again once.
  if (reopens && one.generation == client.generation) {
    const errno = nextReopen(one.handle, readOnlyAfter ? OpenFlag.ReadOnly : 0);
    if (errno) return finish(one, again(one, errno));
    client.generation++;
    client.readOnly = readOnlyAfter;
    metric(Metric.Reopens, ++reopenCount);
  }
  finish(one, go(one));
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(handle, request, count, offset, flags | WHOLE, false);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return run(handle, request, count, offset, flags, true);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return run(handle, request, 0, 0, flags, false);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(handle, request, count, offset, flags, true);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(handle, request, count, offset, flags, true);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(handle, request, count, offset, flags, false);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(handle, request, count, offset, flags, false);
}
