// SPDX-License-Identifier: MIT
// Opening files and asking what they are: openat(2), openat2(2), statx(2), fstatfs(2), the size and
// sector ioctls of block devices. Control path: failures are thrown as SystemError.

import { closeDescriptor } from "./descriptor.ts";
import { check, lastErrno, SystemError } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  openat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
});
const raw = lateFunctions({
  syscall: { parameters: ["i32", "i32", "buffer", "buffer", "usize"], result: "i32" },
});

/** Flags of open(2) on x86-64. All opens here add O_CLOEXEC and O_NOCTTY. */
export const Open = {
  ReadOnly: 0,
  ReadWrite: 0o2,
  /** I/O past the page cache. */
  Direct: 0o40000,
  Directory: 0o200000,
  /** Only names the file: it can be described, not read. */
  Path: 0o10000000,
} as const;

const O_NONBLOCK = 0o4000;
const O_CREAT = 0o100;
const NEW_FILE_MODE = 0o666n;
const O_ACCMODE = 0o3;
const O_NOCTTY = 0o400;
const O_NOFOLLOW = 0o400000;
const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_GETFL = 3;
const F_SETFL = 4;
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x2;
const RESOLVE_BENEATH = 0x8;
/** openat2 may be tried again when somebody renames directories on the way. */
const OPEN_TRIES = 8;
const EAGAIN = 11;
const EINVAL = 22;
const ENOSYS = 38;
const EPERM = 1;

const STATX_BASIC_STATS = 0x7ff;
const STATX_DIOALIGN = 0x2000;
const STATX_BYTES = 256;
const S_IFMT = 0o170000;
const KINDS: Record<number, FileKind> = {
  0o100000: "regular",
  0o060000: "block",
  0o040000: "directory",
};

const STATFS_BYTES = 120;
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;

const BLKSSZGET = 0x1268;
const BLKGETSIZE64 = 0x80081272;
const BLKDISCARD = 0x1277;
const BLKSECDISCARD = 0x127d;

const EMPTY = new Uint8Array(1);

/** What stands behind a descriptor, as far as blocks can be served from it. */
export type FileKind = "regular" | "block" | "directory" | "other";

/** What statx(2) knows of an open file. */
export interface FileFacts {
  kind: FileKind;
  /** Size in bytes as halves; 0 for a block device (see `blockDeviceFacts`). */
  sizeHigh: number;
  sizeLow: number;
  /** Preferred size of a transfer in bytes. */
  preferredBytes: number;
  /** The block device that it is; of a file, the one that it is on. */
  deviceMajor: number;
  deviceMinor: number;
  /** Tells files apart while they exist. */
  identity: string;
  /** Alignments in bytes that O_DIRECT asks of memory and offsets; null when the kernel does not say. */
  direct: { memory: number; offset: number } | null;
}

/** Opens `path` with flags of Open. */
export function openFile(path: string, flags: number): number {
  return open(AT_FDCWD, path, flags, `open "${path}"`);
}

/**
 * Opens a file directly below a directory: neither `name` nor a symbolic link that it may be leads
 * out of it. `name` must be a plain file name.
 */
export function openBeneath(directoryFd: number, name: string, flags: number): number {
  const how = new BigUint64Array(3);
  how[0] = BigInt(flags | addedFlags(flags));
  how[2] = BigInt(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  const bytes = new Uint8Array(how.buffer);
  const fd = raw.syscall(SYS_OPENAT2, directoryFd, encodePath(name), bytes, BigInt(bytes.length));
  if (fd >= 0) return blocking(fd, flags);
  const errno = lastErrno();
  // No openat2 before Linux 5.6, and old seccomp profiles answer EPERM; O_NOFOLLOW is stricter.
  if (errno !== ENOSYS && errno !== EPERM) throw new SystemError(`open "${name}"`, errno);
  return open(directoryFd, name, flags | O_NOFOLLOW, `open "${name}"`);
}

/**
 * Opens `path` below a directory, at any depth: neither `..` nor a symbolic link on the way leads out of
 * it (EXDEV). `flags` may have those of open(2) that make files. Throws SystemError.
 */
export function openBelow(directoryFd: number, path: string, flags: number): number {
  const how = new BigUint64Array(3);
  how[0] = BigInt(flags | addedFlags(flags));
  how[1] = (flags & O_CREAT) === 0 ? 0n : NEW_FILE_MODE;
  how[2] = BigInt(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  const bytes = new Uint8Array(how.buffer);
  const name = encodePath(path);
  let errno = EAGAIN;
  for (let tries = 0; errno === EAGAIN && tries < OPEN_TRIES; tries++) {
    const fd = raw.syscall(SYS_OPENAT2, directoryFd, name, bytes, BigInt(bytes.length));
    if (fd >= 0) return blocking(fd, flags);
    errno = lastErrno();
  }
  // Without openat2 (before Linux 5.6) nothing here could keep the promise.
  throw new SystemError(`open "${path}"`, errno);
}

/** flock(2) for oneself alone, as long as the descriptor is open. Returns 0 or the negative errno. */
export function lockFile(fd: number): number {
  return symbols.flock(fd, LOCK_EX | LOCK_NB) === 0 ? 0 : -lastErrno();
}

/** ftruncate(2). Returns 0 or the negative errno. */
export function resizeFile(fd: number, sizeHigh: number, sizeLow: number): number {
  const size = BigInt(sizeHigh) << 32n | BigInt(sizeLow);
  return symbols.ftruncate(fd, size) === 0 ? 0 : -lastErrno();
}

/** Opens what descriptor `fd` refers to once more, with a file position and flags of its own. */
export function reopen(fd: number, flags: number): number {
  return open(AT_FDCWD, `/proc/self/fd/${fd}`, flags, `reopen descriptor ${fd}`);
}

/** Access mode and direct-I/O flag of an open descriptor. */
export function openFlags(fd: number): { readable: boolean; writable: boolean; direct: boolean } {
  const flags = check(symbols.fcntl(fd, F_GETFL, 0), `use descriptor ${fd}`);
  const access = flags & O_ACCMODE;
  return { readable: access !== 1, writable: access !== 0, direct: (flags & Open.Direct) !== 0 };
}

/** Has calls on the descriptor, and on all copies of it, wait rather than fail with EAGAIN. */
export function makeBlocking(fd: number): void {
  const flags = check(symbols.fcntl(fd, F_GETFL, 0), `use descriptor ${fd}`);
  if ((flags & O_NONBLOCK) === 0) return;
  check(symbols.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK), `use descriptor ${fd}`);
}

/** Asks the kernel about an open file. */
export function describeFile(fd: number): FileFacts {
  const bytes = new Uint8Array(STATX_BYTES);
  const mask = STATX_BASIC_STATS | STATX_DIOALIGN;
  check(symbols.statx(fd, EMPTY, AT_EMPTY_PATH, mask, bytes), `stat descriptor ${fd}`);
  const view = new DataView(bytes.buffer);
  const u32 = (at: number) => view.getUint32(at, true);
  const kind = KINDS[view.getUint16(0x1c, true) & S_IFMT] ?? "other";
  // stx_rdev_* of the device itself, stx_dev_* of what the file is on.
  const device = kind === "block" ? 0x80 : 0x88;
  return {
    kind,
    sizeLow: u32(0x28),
    sizeHigh: u32(0x2c),
    preferredBytes: u32(0x04),
    deviceMajor: u32(device),
    deviceMinor: u32(device + 4),
    identity: `${u32(0x88)}:${u32(0x8c)}:${view.getBigUint64(0x20, true)}`,
    direct: (u32(0) & STATX_DIOALIGN) === 0 ? null : { memory: u32(0x98), offset: u32(0x9c) },
  };
}

/** Size and logical sector of an open block device in bytes. */
export function blockDeviceFacts(
  fd: number,
): { sizeHigh: number; sizeLow: number; sectorBytes: number } {
  const size = new Uint32Array(2);
  const action = `get the size of the block device on descriptor ${fd}`;
  check(symbols.ioctl(fd, BLKGETSIZE64, new Uint8Array(size.buffer)), action);
  const sector = new Int32Array(1);
  check(symbols.ioctl(fd, BLKSSZGET, new Uint8Array(sector.buffer)), action);
  return { sizeHigh: size[1]!, sizeLow: size[0]!, sectorBytes: sector[0]! };
}

/** Whether an open file lives in memory only: nothing done to it waits for a disk. */
export function inMemory(fd: number): boolean {
  const bytes = new Uint8Array(STATFS_BYTES);
  if (symbols.fstatfs(fd, bytes) < 0) return false;
  const type = new DataView(bytes.buffer).getUint32(0, true);
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}

const range = new Uint32Array(4);
const rangeBytes = new Uint8Array(range.buffer);

/** BLKDISCARD: the range may lose its contents. Returns 0 or the negative errno; waits for the disk. */
export function discardBlocks(
  fd: number,
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
): number {
  return changeBlocks(BLKDISCARD, fd, offsetHigh, offsetLow, lengthHigh, lengthLow);
}

/** BLKSECDISCARD: nothing of the range can be had back. Returns 0 or the negative errno; waits for the disk. */
export function eraseBlocks(
  fd: number,
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
): number {
  return changeBlocks(BLKSECDISCARD, fd, offsetHigh, offsetLow, lengthHigh, lengthLow);
}

/** Whether a block device that is open for writing can do that. */
export function erasesBlocks(fd: number): boolean {
  // A range that is none, which the kernel only finds where there is a disk that could erase one.
  return eraseBlocks(fd, 0, 1, 0, 1) === -EINVAL;
}

function changeBlocks(
  ioctl: number,
  fd: number,
  offsetHigh: number,
  offsetLow: number,
  lengthHigh: number,
  lengthLow: number,
): number {
  range[0] = offsetLow;
  range[1] = offsetHigh;
  range[2] = lengthLow;
  range[3] = lengthHigh;
  return symbols.ioctl(fd, ioctl, rangeBytes) === 0 ? 0 : -lastErrno();
}

/** A NUL-terminated path. */
export function encodePath(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${path}\0`);
}

function open(directoryFd: number, path: string, flags: number, action: string): number {
  const all = flags | addedFlags(flags);
  return blocking(check(symbols.openat(directoryFd, encodePath(path), all, 0), action), flags);
}

/** Opening a FIFO or a tape drive must not wait. O_PATH never does, and openat2 takes nothing beside it. */
function addedFlags(flags: number): number {
  return (flags & Open.Path) === 0 ? O_CLOEXEC | O_NOCTTY | O_NONBLOCK : O_CLOEXEC;
}

/** Takes O_NONBLOCK off again, because io_uring answers EAGAIN on such descriptors rather than wait for the disk. */
function blocking(fd: number, flags: number): number {
  if ((flags & Open.Path) !== 0) return fd;
  try {
    makeBlocking(fd);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return fd;
}
