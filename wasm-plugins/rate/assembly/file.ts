// SPDX-License-Identifier: MIT
// Rates that are read from files while the filter runs. A file is opened anew each time, so that it can
// be replaced, and read without waiting.

import {
  alloc,
  begin,
  end,
  fileClose,
  fileOpen,
  filePread,
  fileSize,
  logLine,
  LogLevel,
  PENDING,
  say,
  sayBytes,
  sayNumber,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { rateRead } from "./index";

/** A rate takes no more characters. */
const TEXT_MAX: usize = 64;

/** A file with a rate, which of the two, and what it held when it was last read. */
@unmanaged
class RateFile extends Task {
  which: i32;
  path: usize;
  pathLength: usize;
  /** Being read now, as `file`; its content goes to `text`. */
  busy: bool;
  file: i32;
  length: usize;
  text: usize;
  before: usize;
  beforeLength: usize;
}

/** Token of the file for the whole server and of that for each client; 0: there is none. */
let all: i32 = 0;
let each: i32 = 0;

/** Follows the file at `path` for the rate of the whole server (0) or of each client (1). */
export function follow(which: i32, path: usize, length: usize): void {
  const one = begin<RateFile>(read);
  const copy = alloc(length, 1);
  const texts = alloc(2 * TEXT_MAX, 1);
  if (!one || !copy || !texts) return;
  memory.copy(copy, path, length);
  one.which = which;
  one.path = copy;
  one.pathLength = length;
  one.text = texts;
  one.before = texts + TEXT_MAX;
  if (which) each = token(one);
  else all = token(one);
}

/** Whether there is a file to look at. */
export function follows(): bool {
  return (all | each) != 0;
}

/** Looks whether the files hold other rates than before. */
export function look(): void {
  if (all) open(taskOf<RateFile>(all));
  if (each) open(taskOf<RateFile>(each));
}

function open(one: RateFile): void {
  if (one.busy) return;
  const file = fileOpen(one.path, one.pathLength, 0);
  // One that is not there leaves the rate as it is.
  if (file < 0) return;
  const size = fileSize(file);
  if (size <= 0) return fileClose(file);
  one.file = file;
  one.busy = true;
  one.length = <usize>min(size, <i64>TEXT_MAX);
  const status = filePread(file, one.text, one.length, 0, 0, token(one));
  if (status != PENDING) read(token(one), status);
}

function read(at: i32, result: i32): void {
  const one = taskOf<RateFile>(at);
  one.busy = false;
  fileClose(one.file);
  if (result) return;
  const same = one.length == one.beforeLength && !memory.compare(one.text, one.before, one.length);
  if (same) return;
  memory.copy(one.before, one.text, one.length);
  one.beforeLength = one.length;
  const rate = parse(one.text, one.length);
  if (rate >= 0) {
    rateRead(one.which, rate);
    say(one.which ? "the rate of each client is now " : "the rate is now ");
    sayNumber(rate);
    say(" bits per second");
    return logLine(LogLevel.Info);
  }
  say("cannot read a rate from \"");
  sayBytes(one.path, one.pathLength);
  say("\": it holds no number of bits such as 512K or 10M; the rate stays as it is");
  logLine(LogLevel.Warning);
}

/** Digits and perhaps K, M, G or T, with white space around; -1 where it is something else. */
function parse(text: usize, length: usize): i64 {
  let at: usize = 0;
  while (at < length && isSpace(load<u8>(text + at))) at++;
  let value: i64 = 0;
  let digits = 0;
  for (; at < length; at++, digits++) {
    const digit = <i64>load<u8>(text + at) - 0x30;
    if (digit < 0 || digit > 9 || digits > 15) break;
    value = value * 10 + digit;
  }
  if (!digits) return -1;
  const unit: u8 = at < length ? load<u8>(text + at) | 0x20 : 0;
  const power = unit == 0x6b ? 1 : unit == 0x6d ? 2 : unit == 0x67 ? 3 : unit == 0x74 ? 4 : 0;
  if (power) at++;
  while (at < length && isSpace(load<u8>(text + at))) at++;
  if (at < length || value > i64.MAX_VALUE >> (10 * power)) return -1;
  return value << (10 * power);
}

function isSpace(character: u8): bool {
  return character == 0x20 || (character >= 9 && character <= 13);
}
