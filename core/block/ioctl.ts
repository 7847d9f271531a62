// SPDX-License-Identifier: MIT
// What the number of an ioctl says about its argument (Linux, asm-generic/ioctl.h): the same on all machines
// that sandblock runs on.

/** Bytes that an argument has at most: the number has 14 bits for that. */
export const IOCTL_BYTES_MAX = 16383;

/** Bytes of the argument that goes with the ioctl `number`. */
export function ioctlBytes(number: number): number {
  return number >>> 16 & IOCTL_BYTES_MAX;
}
