// SPDX-License-Identifier: MIT
// What only looks at the disk is answered by one device, and by another one where that fails.

import {
  begin,
  complete,
  end,
  Errno,
  failWith,
  logLine,
  LogLevel,
  nextCount,
  nextForward,
  PENDING,
  say,
  sayErrno,
  sayNumber,
  Task,
} from "../../sdk/assemblyscript/assembly";
import { countFailure, device, isReadable, State } from "./devices";

export const enum Balance {
  LeastPending = 0,
  Nearest = 1,
  RoundRobin = 2,
}

let balance: i32 = Balance.LeastPending;
let turn: i32 = 0;

export function setBalance(value: i32): void {
  balance = value;
}

@unmanaged
class Reading extends Task {
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
  /** Only devices that are in sync as a whole. */
  whole: bool;
  /** The device that is asked now, and those that were, bit by bit. */
  child: i32;
  tried: u32;
  errno: i32;
}

/** Has a device answer; `whole`: one whose whole content is right. */
export function look(request: i32, count: u64, offset: u64, flags: i32, whole: bool): i32 {
  const one = begin<Reading>(answered);
  if (!one) return failWith(Errno.ENOMEM, "cannot mirror the request: no memory");
  one.request = request;
  one.flags = flags;
  one.count = count;
  one.offset = offset;
  one.whole = whole;
  const status = attempt(one);
  if (status != PENDING) end(one);
  return status;
}

/** Asks the best device that was not asked yet, and so on while they fail at once. */
function attempt(one: Reading): i32 {
  for (let child = choose(one); child >= 0; child = choose(one)) {
    one.tried |= 1 << child;
    one.child = child;
    device(child).position = one.offset + one.count;
    const token = <i32>changetype<usize>(one);
    const status = nextForward(one.request, child, 0, one.count, one.offset, one.flags, token);
    if (status == PENDING) device(child).pending++;
    if (status == PENDING || !status) return status;
    failed(one, child, status);
  }
  return one.errno ? one.errno : <i32>Errno.EIO;
}

function failed(one: Reading, child: i32, errno: i32): void {
  one.errno = errno;
  countFailure();
  say("device ");
  sayNumber(child);
  say(" cannot read ");
  sayNumber(one.count);
  say(" bytes at ");
  sayNumber(one.offset);
  say(": ");
  sayErrno(errno);
  logLine(LogLevel.Warning);
}

function answered(token: i32, result: i32): void {
  const one = changetype<Reading>(<usize>token);
  device(one.child).pending--;
  let status = result;
  if (result) {
    failed(one, one.child, result);
    status = attempt(one);
    if (status == PENDING) return;
  }
  const request = one.request;
  end(one);
  complete(request, status);
}

/** The device to ask; -1 where none is left. */
function choose(one: Reading): i32 {
  const count = nextCount();
  let best = -1;
  for (let i = 0; i < count; i++) {
    const child = balance == Balance.RoundRobin ? (turn + i) % count : i;
    if (one.tried & (1 << child)) continue;
    if (one.whole ? device(child).state != State.InSync : !isReadable(child, one.offset, one.count)) {
      continue;
    }
    if (balance == Balance.RoundRobin) {
      turn = child + 1 == count ? 0 : child + 1;
      return child;
    }
    if (best < 0 || isBetter(child, best, one.offset)) best = child;
  }
  return best;
}

function isBetter(child: i32, than: i32, offset: u64): bool {
  const a = device(child);
  const b = device(than);
  if (balance == Balance.LeastPending && a.pending != b.pending) return a.pending < b.pending;
  return distance(a.position, offset) < distance(b.position, offset);
}

function distance(a: u64, b: u64): u64 {
  return a < b ? b - a : a - b;
}
