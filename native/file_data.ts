// SPDX-License-Identifier: MIT
// Calls on the data of an open file: preadv2(2), pwritev2(2), fallocate(2), lseek(2), fdatasync(2),
// posix_fadvise(3). They return what the call returns, or the negative errno: nothing is thrown and
// nothing is allocated. Offsets and lengths beyond 32 bits come and go as halves (core/block/uint64.ts).

import { lastErrno } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  preadv2: { parameters: ["i32", "pointer", "i32", "i64", "i32"], result: "i32" },
  pwritev2: { parameters: ["i32", "pointer", "i32", "i64", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
});
const late = lateFunctions({
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
});

/** Flags of a read or write (uapi/linux/fs.h). */
export const Rwf = { Dsync: 0x2, Nowait: 0x8 } as const;

/** Modes of fallocate (uapi/linux/falloc.h). Neither changes the size of a file. */
export const Falloc = {
  /** PUNCH_HOLE | KEEP_SIZE: deallocates; reads as zeroes. */
  Punch: 0x2 | 0x1,
  /** ZERO_RANGE | KEEP_SIZE: zeroes that stay allocated. */
  Zero: 0x10 | 0x1,
} as const;

/** Advice of posix_fadvise. */
export const Advice = { Normal: 0, Random: 1, Sequential: 2, WillNeed: 3, DontNeed: 4 } as const;

const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const CLOCK_MONOTONIC_COARSE = 6;
const HIGH = 4294967296;

// V8 passes an i64 parameter in a register when it is loaded from a BigInt64Array right there: no
// bigint comes into being. A number instead takes the slow way (+200 ns), BigInt(n) makes garbage.
const wide = new BigInt64Array(2);
const halves = new Uint32Array(wide.buffer);

// Over ArrayBuffers, because V8 may keep small typed arrays on its heap, where they move.
const iovec = new Uint32Array(new ArrayBuffer(16));
const iovecPointer = Deno.UnsafePointer.of(iovec)!;

const timespec = new Uint32Array(new ArrayBuffer(16));
const timespecPointer = Deno.UnsafePointer.of(timespec)!;

function prepare(address: number, length: number, offsetHigh: number, offsetLow: number): void {
  iovec[0] = address;
  iovec[1] = address / HIGH;
  iovec[2] = length;
  halves[0] = offsetLow;
  halves[1] = offsetHigh;
}

/** Reads up to `length` (below 2^31) bytes at the offset to `address`. `flags`: Rwf. */
export function readAt(
  fd: number,
  address: number,
  length: number,
  offsetHigh: number,
  offsetLow: number,
  flags: number,
): number {
  prepare(address, length, offsetHigh, offsetLow);
  const count = symbols.preadv2(fd, iovecPointer, 1, wide[0]!, flags);
  return count >= 0 ? count : -lastErrno();
}

/** Writes up to `length` (below 2^31) bytes from `address` at the offset. `flags`: Rwf. */
export function writeAt(
  fd: number,
  address: number,
  length: number,
  offsetHigh: number,
  offsetLow: number,
  flags: number,
): number {
  prepare(address, length, offsetHigh, offsetLow);
  const count = symbols.pwritev2(fd, iovecPointer, 1, wide[0]!, flags);
  return count >= 0 ? count : -lastErrno();
}

/** fallocate with a mode of Falloc. Returns 0 or the negative errno. */
export function allocateAt(
  fd: number,
  mode: number,
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
): number {
  halves[0] = offsetLow;
  halves[1] = offsetHigh;
  halves[2] = lengthLow;
  halves[3] = lengthHigh;
  return late.fallocate(fd, mode, wide[0]!, wide[1]!) === 0 ? 0 : -lastErrno();
}

/** The offset that the last successful `seekData`, `seekHole` or `seekEnd` found, as halves. */
export const found = { high: 0, low: 0 };

function seek(fd: number, whence: number): number {
  wide[1] = late.lseek(fd, wide[0]!, whence);
  if (halves[3] === 0xffffffff) return -lastErrno();
  found.high = halves[3]!;
  found.low = halves[2]!;
  return 0;
}

/** Finds the first data at or behind the offset. Returns 0, or -ENXIO when there is none. */
export function seekData(fd: number, offsetHigh: number, offsetLow: number): number {
  halves[0] = offsetLow;
  halves[1] = offsetHigh;
  return seek(fd, SEEK_DATA);
}

/** Finds the first hole at or behind the offset; the end of the file counts as one. */
export function seekHole(fd: number, offsetHigh: number, offsetLow: number): number {
  halves[0] = offsetLow;
  halves[1] = offsetHigh;
  return seek(fd, SEEK_HOLE);
}

/** Finds the end of the file, block devices included. Moves the file position, which nobody uses. */
export function seekEnd(fd: number): number {
  wide[0] = 0n;
  return seek(fd, SEEK_END);
}

/** fdatasync. Returns 0 or the negative errno. */
export function syncData(fd: number): number {
  return late.fdatasync(fd) === 0 ? 0 : -lastErrno();
}

/** fsync. Returns 0 or the negative errno. */
export function syncAll(fd: number): number {
  return late.fsync(fd) === 0 ? 0 : -lastErrno();
}

/** posix_fadvise with an Advice. Returns 0 or the negative errno. */
export function adviseAt(
  fd: number,
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
  advice: number,
): number {
  halves[0] = offsetLow;
  halves[1] = offsetHigh;
  halves[2] = lengthLow;
  halves[3] = lengthHigh;
  return 0 - late.posix_fadvise(fd, wide[0]!, wide[1]!, advice);
}

/**
 * Milliseconds on a coarse monotonic clock (1 to 10 ms a tick) as a signed 32-bit integer that wraps:
 * only differences mean something. Costs a few nanoseconds and no garbage, unlike performance.now().
 */
export function coarseMs(): number {
  symbols.clock_gettime(CLOCK_MONOTONIC_COARSE, timespecPointer);
  return (timespec[0]! * 1000 + timespec[2]! / 1_000_000) | 0;
}
