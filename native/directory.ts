// SPDX-License-Identifier: MIT
// The entries of a directory by getdents64(2), names as the bytes that they are: a file name on Linux
// need not be UTF-8.

import { closeDescriptor } from "./descriptor.ts";
import { check, lastErrno, SystemError } from "./errno.ts";
import { encodePath } from "./file.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  openat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "isize" },
});

const O_DIRECTORY_CLOEXEC = 0o200000 | 0o2000000;
const BUFFER_BYTES = 32768;
/** struct linux_dirent64: u64 inode, u64 position, u16 length, u8 type, name. */
const LENGTH_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;
const NUL = 0;

/** What the directory itself says of an entry. Some filesystems say Unknown of everything. */
export const EntryType = { Unknown: 0, Block: 6, Regular: 8, Link: 10 } as const;

/** One entry: its name, or null when that is not UTF-8. */
export interface DirectoryEntry {
  name: string | null;
  type: number;
}

/** Reads the directory on `directoryFd` without moving its position; `.` and `..` are left out. */
export function* readDirectory(directoryFd: number): Generator<DirectoryEntry> {
  const action = `read directory on descriptor ${directoryFd}`;
  const fd = check(
    symbols.openat(directoryFd, encodePath("."), O_DIRECTORY_CLOEXEC, 0),
    action,
  );
  try {
    const buffer = new Uint8Array(BUFFER_BYTES);
    while (true) {
      const length = Number(symbols.getdents64(fd, buffer, BigInt(BUFFER_BYTES)));
      if (length < 0) throw new SystemError(action, lastErrno());
      if (length === 0) return;
      yield* entries(buffer, length);
    }
  } finally {
    closeDescriptor(fd);
  }
}

function* entries(buffer: Uint8Array<ArrayBuffer>, length: number): Generator<DirectoryEntry> {
  const view = new DataView(buffer.buffer);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < length; at += view.getUint16(at + LENGTH_AT, true)) {
    const end = buffer.indexOf(NUL, at + NAME_AT);
    let name: string | null = null;
    try {
      name = decoder.decode(buffer.subarray(at + NAME_AT, end));
    } catch {
      // Not UTF-8.
    }
    if (name !== "." && name !== "..") yield { name, type: view.getUint8(at + TYPE_AT) };
  }
}
