// SPDX-License-Identifier: MIT
// What a client may know of an export before it sends requests: size, block sizes, capabilities, zones.

import type { ZoneInfo } from "./zones.ts";

/** How a capability is provided: not at all, by the host out of other calls, or by the device. */
export const Support = { None: 0, Emulate: 1, Native: 2 } as const;
export type Support = typeof Support[keyof typeof Support];

/** Capabilities of an opened export. */
export interface Capabilities {
  write: Support;
  flush: Support;
  fua: Support;
  trim: Support;
  zero: Support;
  /** Native: a zero request that would be slow fails at once with EOPNOTSUPP. */
  fastZero: Support;
  cache: Support;
  /** None: everything is reported as allocated data. */
  extents: Support;
  /** Native: a flush on one connection covers writes answered on all of them. */
  multiConn: Support;
  /** None or Native. */
  secureErase: Support;
  /** None or Native. */
  ioctl: Support;
}

/** Block size constraints in bytes (NBD_INFO_BLOCK_SIZE). */
export interface BlockSize {
  /** Power of two, 1 to 65536. */
  minimum: number;
  /** Power of two, at least 512 and at least `minimum`. */
  preferred: number;
  /** Largest payload of a read or write, a multiple of `minimum`; 0xffffffff: no limit. */
  maximum: number;
}

/** Block sizes that the NBD protocol assumes when a server is silent. */
export const BLOCK_SIZE_DEFAULT: BlockSize = { minimum: 1, preferred: 4096, maximum: 33554432 };

/** An export as listed: its name and what it is, for people. */
export interface ExportEntry {
  name: string;
  description: string;
}

/** What there is to know about an open export. All but its size is fixed. */
export interface ExportInfo {
  name: string;
  description: string;
  /** Size in bytes, 0 to 2^63-1, as halves for the data path (see uint64.ts). */
  sizeHigh: number;
  sizeLow: number;
  readOnly: boolean;
  rotational: boolean;
  /** What requests have to keep to. */
  blockSize: BlockSize;
  /** What clients are told where that is something else: advice that nobody is held to. */
  advertised?: BlockSize;
  /** Writes are wanted whole, not in parts while their payload still arrives. */
  wholeWrites?: boolean;
  can: Capabilities;
  /** Its zones; absent where it has none. */
  zones?: ZoneInfo;
}
