// SPDX-License-Identifier: MIT
// From the errors of Linux to the few that may be on the wire (proto.md "Error values").

import { Errno, ERRNO_MAX } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { CommandFlag, WireErrno } from "./wire.ts";

/** Index is the errno; 0 only at 0. What is not named below is a failure of the device that the client can do nothing about. */
const table = new Uint8Array(ERRNO_MAX + 1).fill(WireErrno.EIO, 1);
for (const errno of Object.values(WireErrno)) table[errno] = errno;
for (const errno of [Errno.EACCES, Errno.EROFS]) table[errno] = WireErrno.EPERM;
for (const errno of [Errno.EDQUOT, Errno.EFBIG]) table[errno] = WireErrno.ENOSPC;
for (const errno of [Errno.ENOBUFS, Errno.EMFILE, Errno.ENFILE]) table[errno] = WireErrno.ENOMEM;
for (const errno of [Errno.E2BIG, Errno.EDOM, Errno.ERANGE]) table[errno] = WireErrno.EINVAL;
for (const errno of [Errno.ENOSYS, Errno.ENOTTY]) table[errno] = WireErrno.ENOTSUP;

/**
 * The number that tells the client about `errno` (positive) as the outcome of a request. Two
 * errors have a meaning of their own on the wire and go out as EINVAL where they would not mean it:
 * ENOTSUP, "this would be slow", and EOVERFLOW, "ask for less", which no write can be told.
 */
export function wireErrno(errno: number, command: number, flags: number): number {
  const mapped = table[errno] || WireErrno.EIO;
  if (mapped === WireErrno.ENOTSUP) {
    const fastZero = command === Command.WriteZeroes && (flags & CommandFlag.FastZero) !== 0;
    return fastZero ? WireErrno.ENOTSUP : WireErrno.EINVAL;
  }
  return mapped === WireErrno.EOVERFLOW && command === Command.Write ? WireErrno.EINVAL : mapped;
}
