// SPDX-License-Identifier: MIT
// Makes requests fail (README.md beside this folder): those of a kind, in a range, so and so often.

import { Errno, fail, metric, pass, say, sayByte, sayBytes } from "../../sdk/assemblyscript/assembly";
import { addRange, rangeCount, touches } from "../../lib/ranges/assembly";
import { atEnd, readText, restLength, takeByte, takeDigits } from "../../lib/text/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Kinds of requests, in the order of the parameters for them. */
const enum Kind {
  Read = 0,
  Write = 1,
  Trim = 2,
  Zero = 3,
  Extents = 4,
  Cache = 5,
  Flush = 6,
  Count = 7,
}

/** Parameters by position: those for all kinds, then an error and a rate for each kind. */
const enum Parameter {
  Error = 0,
  Rate = 1,
  Range = 2,
  Seed = 3,
  FirstKind = 4,
}

/** What an always is as a rate. */
const ALWAYS: u64 = 1000000000;
/** Values of `error` by position. */
const errnos: StaticArray<u8> = [
  5, 1, 12, 22, 28, 108, 75, 95, 30, 11, 16, 13, 19, 27, 34, 61, 110,
];
/** For each kind an errno, and a rate from 0 to ALWAYS; -1: that for all kinds. */
const kindErrno = memory.data(28, 4);
const kindRate = memory.data(56, 8);

let errno: i32 = Errno.EIO;
let rate: i64 = 0;
let state: u64 = 1;
let status: i32 = 0;
let errors: i64 = 0;
let begun: bool = false;

/** Nothing is set for a kind before the first parameter comes. */
function setUp(): void {
  if (begun) return;
  begun = true;
  memory.fill(kindErrno, 0xff, 28);
  memory.fill(kindRate, 0xff, 56);
}

export function sb_param_int(index: i32, value: i64): void {
  setUp();
  if (index == Parameter.Seed) {
    state = value;
    return;
  }
  const chosen: i32 = errnos[<i32>value];
  if (index == Parameter.Error) errno = chosen;
  else store<i32>(kindErrno + ((index - Parameter.FirstKind) >> 1 << 2), chosen);
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  setUp();
  if (status) return;
  if (index == Parameter.Range) {
    status = addRange("error-range", pointer, length);
    return;
  }
  const value = parseRate(pointer, length);
  if (value >= 0 && index == Parameter.Rate) rate = value;
  else if (value >= 0) store<i64>(kindRate + ((index - Parameter.FirstKind) >> 1 << 3), value);
  if (value >= 0) return;
  say("cannot parse the rate \"");
  sayBytes(pointer, min(length, 32));
  sayByte(0x22);
  say(": it is a percentage, such as 10%, or a number from 0 to 1");
  status = fail(Errno.EINVAL);
}

/** 0.1 or 10% as parts of ALWAYS; -1 for what is no rate. */
function parseRate(pointer: usize, length: usize): i64 {
  readText(pointer, length);
  const whole = takeDigits(10);
  if (whole < 0 || whole > 100) return -1;
  let value = whole * ALWAYS;
  if (takeByte(0x2e)) {
    const before = restLength();
    const digits = takeDigits(10);
    const count = before - restLength();
    if (digits < 0 || count > 9) return -1;
    let unit: i64 = ALWAYS;
    for (let i: usize = 0; i < count; i++) unit /= 10;
    value += digits * unit;
  }
  if (takeByte(0x25)) value /= 100;
  return atEnd() && value <= <i64>ALWAYS ? value : -1;
}

export function sb_ready(): i32 {
  setUp();
  return status;
}

/** The next of a row of random numbers, below ALWAYS (splitmix64). */
function random(): u64 {
  state += 0x9e3779b97f4a7c15;
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31)) % ALWAYS;
}

function decide(kind: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const own = load<i64>(kindRate + (<usize>kind << 3));
  const chance = own < 0 ? rate : own;
  // A flush is about all of the disk.
  const here = !rangeCount() || kind == Kind.Flush || touches(offset, offset + count);
  if (!chance || !here || <i64>random() >= chance) return pass(request, count, offset, flags);
  errors++;
  metric(0, errors);
  const ownErrno = load<i32>(kindErrno + (<usize>kind << 2));
  say("the filter error has made it fail");
  return fail(ownErrno < 0 ? errno : ownErrno);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return decide(Kind.Read, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return decide(Kind.Write, request, count, offset, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return decide(Kind.Trim, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return decide(Kind.Zero, request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return decide(Kind.Extents, request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return decide(Kind.Cache, request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return decide(Kind.Flush, request, 0, 0, flags);
}
