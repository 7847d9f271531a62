// SPDX-License-Identifier: MIT
// A large write that is passed on in parts while its payload still arrives: each part is consumed
// while it is in the processor's cache, and no memory is needed for the whole.

import { Errno } from "../block/errno.ts";
import type { InflightRequest } from "./inflight_request.ts";

/** Payloads from this size on are passed on in parts. */
export const STREAM_BYTES_MIN = 64 * 1024;
/** The largest part. */
const PART_BYTES_MAX = 256 * 1024;
/** Parts but the last end at multiples of this at least, unless nothing may be left of what has arrived. */
const PART_UNIT = 4096;

/** Where parts of a write to an export with these block sizes end: both powers of two. */
export function partUnit(minimum: number, preferred: number): number {
  return Math.max(PART_UNIT, minimum, Math.min(preferred, PART_BYTES_MAX));
}

/** See the top of this file. */
export class WriteStream {
  /** Bytes of the payload that were not passed on yet. */
  left: number;
  /** What is not finished: parts that the device works on, and the arrival of the payload. */
  unfinished = 1;
  /** The first error of any part. */
  errno = 0;

  readonly #unit: number;

  /**
   * `whole` is valid, and stays out of the pool of requests until it is answered. Parts end at
   * multiples of `unit` bytes of the export, a power of two, so anywhere when it is 1.
   */
  constructor(readonly whole: InflightRequest, payload: number, unit: number) {
    this.left = payload;
    this.#unit = unit;
  }

  /** Bytes that should come before the next part is worth passing on. */
  get wanted(): number {
    return Math.min(this.left, PART_BYTES_MAX);
  }

  /** Length of the part that `available` bytes allow; 0 while there are too few. */
  partLength(available: number): number {
    if (available >= this.left && this.left <= PART_BYTES_MAX) return this.left;
    const most = Math.min(available, PART_BYTES_MAX);
    return Math.max(0, most - ((this.#low + most) & (this.#unit - 1)));
  }

  /** Lower half of the offset of the next byte, and what it carries into the upper. */
  get #low(): number {
    return this.whole.offsetLow + this.whole.lengthLow - this.left;
  }

  /** Offset of the next byte, upper half. */
  get offsetHigh(): number {
    return this.whole.offsetHigh + (this.#low > 0xffffffff ? 1 : 0);
  }

  /** Offset of the next byte, lower half. */
  get offsetLow(): number {
    return this.#low >>> 0;
  }

  /** Makes `part` the write of the next `length` bytes, which lie at `address`. */
  takePart(part: InflightRequest, address: number, length: number): void {
    const { whole } = this;
    part.command = whole.command;
    part.flags = whole.flags;
    part.offsetHigh = this.offsetHigh;
    part.offsetLow = this.offsetLow;
    part.lengthHigh = 0;
    part.lengthLow = length;
    part.payload = address;
    part.stream = this;
    this.left -= length;
    this.unfinished++;
  }

  /** Something is finished. Whether everything is. */
  finish(errno: number, errorText: string): boolean {
    if (errno !== 0 && this.errno === 0) {
      this.errno = errno;
      this.whole.errorText = errorText;
    }
    return --this.unfinished === 0;
  }

  /** The client has gone before the payload was complete. Whether everything is finished. */
  abandon(): boolean {
    return this.finish(Errno.EIO, "");
  }
}
