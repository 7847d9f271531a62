// SPDX-License-Identifier: MIT
// ioctl(2), for drivers whose requests are named elsewhere.

import { lastErrno } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
});
const { symbols: numeric } = Deno.dlopen("libc.so.6", {
  ioctl: { parameters: ["i32", "u32", "u32"], result: "i32" },
});

const big = lateFunctions({
  ioctl: { parameters: ["i32", "u32", "u64"], result: "i32" },
});
const long = lateFunctions({
  // May take as long as a device lives: on a thread of its own.
  ioctl: { parameters: ["i32", "u32", "u32"], result: "i32", nonblocking: true },
});

/** Direction bits of a request (asm-generic/ioctl.h). */
export const Direction = { None: 0, Write: 1, Read: 2, ReadWrite: 3 } as const;

/** The number of a request: its direction, the type of the driver, which one, bytes of the argument. */
export function request(direction: number, type: number, number: number, bytes: number): number {
  return (direction << 30 | bytes << 16 | type << 8 | number) >>> 0;
}

/** A request whose argument is a structure. What it returns, or -errno. */
export function ioctl(fd: number, number: number, argument: Uint8Array<ArrayBuffer>): number {
  const result = symbols.ioctl(fd, number, argument);
  return result < 0 ? -lastErrno() : result;
}

/** A request whose argument is a number from 0 to 2^32-1. What it returns, or -errno. */
export function ioctlWith(fd: number, number: number, argument: number): number {
  const result = numeric.ioctl(fd, number, argument);
  return result < 0 ? -lastErrno() : result;
}

/** A request whose argument is a number up to 2^64-1. What it returns, or -errno. */
export function ioctlWithBig(fd: number, number: number, argument: bigint): number {
  const result = big.ioctl(fd, number, argument);
  return result < 0 ? -lastErrno() : result;
}

/** A request without an argument that takes long. Resolves when it has ended, well or not. */
export async function ioctlLong(fd: number, number: number): Promise<void> {
  await long.ioctl(fd, number, 0);
}
