// SPDX-License-Identifier: MIT
// For plugins that have exactly one export, the one with the empty name.

import { Errno } from "./constants";
import { fail, say, sayByte, sayBytes } from "./message";

let size: i64 = 0;

/** Sets the size of the export in bytes, 0 to 2^63-1. */
export function setSize(bytes: i64): void {
  size = bytes;
}

/** The size of the export in bytes. */
export function getSize(): i64 {
  return size;
}

/** Opens the export; there is nothing to keep, so every handle is 0. */
export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (!nameLength) return 0;
  say("cannot open export \"");
  sayBytes(name, nameLength);
  sayByte(0x22);
  say(": the only export has the empty name");
  return -fail(Errno.ENOENT);
}

export function sb_size(handle: i32): i64 {
  return size;
}
