// SPDX-License-Identifier: MIT
// Numbers of plugin ABI 3.2 by name.

/** Flags of `replyData`. */
export const enum DataFlag {
  /** The host copies the bytes at once. */
  Transient = 0,
  /** The bytes stay as they are until the next write, trim or zero. */
  Stable = 1,
}

/** Flags of `replyZero`. */
export const enum ZeroFlag {
  Zero = 0,
  /** The zeroes take no space. */
  Hole = 1,
}

/** Flags of `extent`. */
export const enum ExtentFlag {
  Data = 0,
  Hole = 1,
  Zero = 2,
  HoleZero = 3,
}

/** Flags of `sb_open`. */
export const enum OpenFlag {
  ReadOnly = 1,
}

/** Flags of the calls for requests. */
export const enum CallFlag {
  /** What is written has to be on stable storage before the call returns. */
  Fua = 1,
  /** `sb_zero` may make a hole; without it the bytes stay allocated. */
  MayTrim = 2,
  /** `sb_zero` fails with EOPNOTSUPP rather than take as long as a write. */
  FastZero = 4,
  /** `sb_extents`: one extent is enough. */
  ReqOne = 8,
  /** `nextForward` of a read: when a piece of it fails, all of it has failed. */
  Whole = 16,
}

/** How a capability is provided (fields of Info). */
export const enum Support {
  None = 0,
  /** By the host, out of other calls. */
  Emulate = 1,
  Native = 2,
}

export const enum LogLevel {
  Error = 0,
  Warning = 1,
  Info = 2,
  Debug = 3,
}

/** Error numbers of Linux that plugins need most; any from 1 to 133 may be returned. */
export const enum Errno {
  EPERM = 1,
  ENOENT = 2,
  EIO = 5,
  EBADF = 9,
  EAGAIN = 11,
  ENOMEM = 12,
  EACCES = 13,
  EBUSY = 16,
  EINVAL = 22,
  ENOTTY = 25,
  EFBIG = 27,
  ENOSPC = 28,
  EROFS = 30,
  ERANGE = 34,
  EOVERFLOW = 75,
  EOPNOTSUPP = 95,
  ESHUTDOWN = 108,
}

/** `sb_info` fills this in: `changetype<Info>(out)`. The host has put its defaults there. */
@unmanaged
export class Info {
  /** Bytes that the host reads. */
  structSize: u32;
  /** Block sizes in bytes. */
  blockMinimum: u32;
  blockPreferred: u32;
  blockMaximum: u32;
  /** Capabilities, each a Support. */
  write: u32;
  flush: u32;
  fua: u32;
  trim: u32;
  zero: u32;
  fastZero: u32;
  cache: u32;
  extents: u32;
  multiConn: u32;
  /** 1: seeks are slow. */
  rotational: u32;
  /** Since 3.2: there only where the manifest says "abi": "3.2". */
  secureErase: u32;
  ioctl: u32;
}
