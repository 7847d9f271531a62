// SPDX-License-Identifier: MIT
// The cache file: where the slots of the store lie in it, and what happens when its disk is full. Then the
// file does not grow for a while, and the slots that it has are used for other blocks.

import {
  alloc,
  begin,
  cancel,
  end,
  Errno,
  fail,
  fileClose,
  FileFlag,
  fileOpen,
  fileResize,
  logLine,
  LogLevel,
  say,
  sayBytes,
  sayErrno,
  sayNumber,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { blockBits, limit, unitStep } from "./store";
import { letGrow } from "./slots";

/** After so long a file that could not grow is tried again: 10 s. */
const GROW_AGAIN_NS: u64 = 10_000_000_000;
const ENOSPC: i32 = 28;
const EFBIG: i32 = 27;
const EDQUOT: i32 = 122;

/** The open file; -1: the cache lies in memory. */
export let file: i32 = -1;
let path: usize = 0;
let pathLength: usize = 0;
/** Token of the timer after which the file may grow again; 0: none is set. */
let waiting: i32 = 0;
/** Other errors than a full disk were told; once is enough. */
let hasFailed = false;

/** Remembers where the file is to be. */
export function setPath(name: usize, length: usize): bool {
  path = alloc(length, 1);
  if (!path) return false;
  memory.copy(path, name, length);
  pathLength = length;
  return true;
}

/** Whether the cache lies in a file. */
export function hasFile(): bool {
  return pathLength != 0;
}

/** Takes the file for this cache alone and empties it. Returns 0 or an errno. */
export function openFile(): i32 {
  const flags = FileFlag.Write | FileFlag.Create | FileFlag.Truncate | FileFlag.Lock;
  file = fileOpen(path, pathLength, flags);
  if (file >= 0) return 0;
  const errno = -file;
  file = -1;
  // Everything else the host has explained already.
  if (errno != Errno.EPERM) return errno;
  sayPath();
  say(" is not allowed; --allow cache:write=DIR allows the directory that it is in");
  return fail(errno);
}

/** The file is not needed any more: gives its room back. */
export function closeFile(): void {
  if (file < 0) return;
  fileResize(file, 0);
  fileClose(file);
  file = -1;
}

/** Where in the file byte `inner` of a slot is. */
// @ts-ignore: decorator
@inline
export function placeOf(slot: usize, inner: u64): u64 {
  return ((<u64>(slot / unitStep) - 1) << blockBits) + inner;
}

/** Something could not be written to the file. */
export function notWritten(errno: i32): void {
  if (errno != ENOSPC && errno != EFBIG && errno != EDQUOT) return tell("write to", errno);
  if (waiting) return;
  letGrow(false);
  const task = begin<Task>(growAgain);
  if (!task) return letGrow(true);
  if (timer(GROW_AGAIN_NS, token(task))) {
    end(task);
    return letGrow(true);
  }
  waiting = token(task);
  sayPath();
  say(" cannot grow: ");
  sayErrno(errno);
  say("; the cache goes on with ");
  sayNumber(limit() << blockBits);
  say(" bytes");
  logLine(LogLevel.Warning);
}

function growAgain(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  waiting = 0;
  letGrow(true);
}

/** The server is about to end: nothing is waited for any more. */
export function stopWaiting(): void {
  if (waiting && cancel(waiting)) growAgain(waiting, 0);
}

/** Something could not be read from the file. */
export function notRead(errno: i32): void {
  tell("read", errno);
}

function tell(verb: string, errno: i32): void {
  if (hasFailed) return;
  hasFailed = true;
  say("cannot ");
  say(verb);
  say(" ");
  sayPath();
  say(": ");
  sayErrno(errno);
  say("; what is below is used instead");
  logLine(LogLevel.Error);
}

function sayPath(): void {
  say("the cache file \"");
  sayBytes(path, pathLength);
  say("\"");
}

/** Fails a request as its data in the file is lost. */
export function failWithFile(errno: i32): i32 {
  sayPath();
  say(" has failed, and with it changes that are only there: ");
  sayErrno(errno);
  return fail(errno == ENOSPC ? ENOSPC : Errno.EIO);
}
