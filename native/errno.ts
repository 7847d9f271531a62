// SPDX-License-Identifier: MIT
// errno of the last failed libc call on this thread, and errors that carry it by name.

import { BlockError, errnoName } from "../core/block/errno.ts";
import { lateFunctions } from "./late.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  __errno_location: { parameters: [], result: "pointer" },
});
const late = lateFunctions({
  strerror: { parameters: ["i32"], result: "pointer" },
});

// The location never changes within a thread, so a look at errno is a load, not a call.
const errnoView = new Int32Array(
  Deno.UnsafePointerView.getArrayBuffer(symbols.__errno_location()!, 4),
);

/** errno of this thread. Only meaningful right after a libc call that reported failure. */
export function lastErrno(): number {
  return errnoView[0]!;
}

/** An errno for people: `No such file or directory (ENOENT)`. */
function errnoWords(errno: number): string {
  const words = late.strerror(errno);
  const name = errnoName(errno);
  return words === null ? name : `${Deno.UnsafePointerView.getCString(words)} (${name})`;
}

/** A system call that failed. The message reads `cannot <action>: <words> (<errno name>)`. */
export class SystemError extends BlockError {
  /** Symbolic errno name, such as `EADDRINUSE`. */
  readonly code: string;
  /** Why, without what was tried. */
  readonly reason: string;

  constructor(action: string, errno: number) {
    const reason = errnoWords(errno);
    super(errno, `cannot ${action}: ${reason}`);
    this.reason = reason;
    this.code = errnoName(errno);
  }
}

/** Returns `result` if it is not negative, else throws SystemError for `action` from errno. */
export function check(result: number, action: string): number {
  if (result < 0) throw new SystemError(action, lastErrno());
  return result;
}
