// SPDX-License-Identifier: MIT
// Block status of a file: holes and data as lseek(2) with SEEK_DATA and SEEK_HOLE finds them.

import { Errno } from "../block/errno.ts";
import { ExtentFlag, type Request, RequestFlag } from "../block/request.ts";
import { found, seekData, seekEnd, seekHole } from "../../native/file_data.ts";

/** Extents that one answer names. The client asks again for what is behind them. */
export const EXTENTS_PER_ANSWER_MAX = 1024;

const HIGH = 4294967296;
const HOLE = ExtentFlag.Hole | ExtentFlag.Zero;

/**
 * The last run of data that was found. Looking for its end may take the kernel long (16 ns a page on
 * tmpfs), and calling data what has become a hole since is allowed, so it is kept for a while.
 */
export class KnownData {
  startHigh = 0;
  startLow = 0;
  endHigh = 0;
  endLow = 0;

  /** Whether the run contains the offset. */
  has(high: number, low: number): boolean {
    return !isBelow(high, low, this.startHigh, this.startLow) &&
      isBelow(high, low, this.endHigh, this.endLow);
  }

  /** To be called when holes may have come into being. */
  forget(): void {
    this.endHigh = this.endLow = 0;
  }
}

/** Answers a block status with the extents of the file on `fd`. Returns 0. */
export function answerExtents(request: Request, fd: number, known: KnownData): number {
  let endLow = request.offsetLow + request.lengthLow;
  let endHigh = request.offsetHigh + request.lengthHigh;
  if (endLow >= HIGH) {
    endLow -= HIGH;
    endHigh++;
  }
  let high = request.offsetHigh;
  let low = request.offsetLow;
  let left = (request.flags & RequestFlag.ReqOne) !== 0 ? 1 : EXTENTS_PER_ANSWER_MAX;
  while (left-- > 0 && isBelow(high, low, endHigh, endLow)) {
    const isHole = nextChange(fd, high, low, known);
    if (isBelow(endHigh, endLow, found.high, found.low)) {
      found.high = endHigh;
      found.low = endLow;
    }
    const nextHigh = found.high;
    const nextLow = found.low;
    const borrow = nextLow < low ? 1 : 0;
    const lengthLow = nextLow - low + borrow * HIGH;
    request.extent(nextHigh - high - borrow, lengthLow, isHole ? HOLE : 0);
    high = nextHigh;
    low = nextLow;
  }
  return 0;
}

/**
 * Whether the whole request lies in a hole. `false` also when that cannot be told.
 */
export function isInHole(request: Request, fd: number): boolean {
  const result = seekData(fd, request.offsetHigh, request.offsetLow);
  // No data up to the end; but does the file still reach as far as the request?
  if (result !== 0 && (result !== -Errno.ENXIO || seekEnd(fd) !== 0)) return false;
  let endLow = request.offsetLow + request.lengthLow;
  let endHigh = request.offsetHigh;
  if (endLow >= HIGH) {
    endLow -= HIGH;
    endHigh++;
  }
  return !isBelow(found.high, found.low, endHigh, endLow);
}

/** Finds where what is at the offset ends, into `found`; whether it is a hole. */
function nextChange(fd: number, high: number, low: number, known: KnownData): boolean {
  if (!known.has(high, low)) {
    const result = seekData(fd, high, low);
    if (result === -Errno.ENXIO) return toTheEnd(true);
    // A filesystem that does not know about holes: all of it is data.
    if (result !== 0) return toTheEnd(false);
    if (isBelow(high, low, found.high, found.low)) return true;
    known.startHigh = high;
    known.startLow = low;
    if (seekHole(fd, high, low) !== 0) return toTheEnd(false);
    // A hole may have been made between the two calls.
    if (!isBelow(high, low, found.high, found.low)) return toTheEnd(false);
    known.endHigh = found.high;
    known.endLow = found.low;
  }
  found.high = known.endHigh;
  found.low = known.endLow;
  return false;
}

function toTheEnd(isHole: boolean): boolean {
  found.high = found.low = 0xffffffff;
  return isHole;
}

function isBelow(aHigh: number, aLow: number, bHigh: number, bLow: number): boolean {
  return aHigh < bHigh || (aHigh === bHigh && aLow < bLow);
}
