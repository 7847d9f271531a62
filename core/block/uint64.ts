// SPDX-License-Identifier: MIT
// 64-bit unsigned integers as two 32-bit halves. The data path carries offsets and lengths this
// way: exact up to 2^64-1 and, unlike bigint, without allocation. Halves are numbers 0 to 2^32-1.

const HIGH = 4294967296;

/** The value as a number: exact below 2^53, rounded above. */
export function toNumber(high: number, low: number): number {
  return high * HIGH + low;
}

/** The value as a bigint, for the control plane only. */
export function toBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The upper half of `value` (0 to 2^64-1). */
export function highOf(value: bigint): number {
  return Number(value >> 32n);
}

/** The lower half of `value` (0 to 2^64-1). */
export function lowOf(value: bigint): number {
  return Number(value & 0xffffffffn);
}

/** Whether `offset` + `length` <= `size`, in exact 64-bit arithmetic without overflow. */
export function within(
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
  sizeHigh: number,
  sizeLow: number,
): boolean {
  let leftHigh = sizeHigh - offsetHigh;
  let leftLow = sizeLow - offsetLow;
  if (leftLow < 0) {
    leftLow += HIGH;
    leftHigh -= 1;
  }
  if (leftHigh < 0) return false;
  return lengthHigh < leftHigh || (lengthHigh === leftHigh && lengthLow <= leftLow);
}
