// SPDX-License-Identifier: MIT
// What a command does to a block device as a whole: claim it, flush it, make its node (open(2) with
// O_EXCL, fsync(2), mknod(2)).

import { closeDescriptor } from "./descriptor.ts";
import { check, lastErrno, SystemError } from "./errno.ts";
import { encodePath } from "./file.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // May take as long as the device: on a thread of its own, so that the caller can say so.
  fsync: { parameters: ["i32"], result: "i32", nonblocking: true },
});

// mknod(2) itself: older versions of glibc have it under another name.
const raw = lateFunctions({
  syscall: { parameters: ["i32", "buffer", "u32", "u64"], result: "i32" },
});

const SYS_MKNOD = 133;
const O_EXCL_CLOEXEC = 0o200 | 0o2000000;
const O_RDWR_CLOEXEC = 0o2 | 0o2000000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const OWNER_ONLY = 0o600;
const EBUSY = 16;
const EEXIST = 17;
const EIO = 5;

/** Whether a block device is mounted, or used as a whole in another way. Throws SystemError. */
export function isClaimed(path: string): boolean {
  const fd = symbols.open(encodePath(path), O_EXCL_CLOEXEC, 0);
  if (fd >= 0) {
    closeDescriptor(fd);
    return false;
  }
  const errno = lastErrno();
  if (errno === EBUSY) return true;
  throw new SystemError(`open "${path}"`, errno);
}

/** Writes out what the page cache holds of a block device, and has the device flush. Rejects. */
export async function flushBlockDevice(path: string): Promise<void> {
  const fd = check(symbols.open(encodePath(path), O_RDWR_CLOEXEC, 0), `open "${path}"`);
  try {
    // errno belongs to the other thread and is lost; what the kernel says here is EIO but for ENOSPC.
    if (await symbols.fsync(fd) < 0) throw new SystemError(`flush "${path}"`, EIO);
  } finally {
    closeDescriptor(fd);
  }
}

/** Makes the node of a device unless there is one. Throws SystemError. */
export function makeDeviceNode(
  path: string,
  kind: "block" | "character",
  major: number,
  minor: number,
): void {
  const mode = (kind === "block" ? S_IFBLK : S_IFCHR) | OWNER_ONLY;
  if (raw.syscall(SYS_MKNOD, encodePath(path), mode, deviceNumber(major, minor)) === 0) return;
  const errno = lastErrno();
  if (errno !== EEXIST) throw new SystemError(`make device node "${path}"`, errno);
}

/** As makedev(3) encodes it. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (high & 0xfffn) << 8n | (high >> 12n) << 32n | low & 0xffn | (low >> 8n) << 20n;
}
