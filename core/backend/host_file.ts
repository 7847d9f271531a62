// SPDX-License-Identifier: MIT
// A regular file or block device that is open: its descriptors and what is fixed while it is.

import { BlockError, Errno } from "../block/errno.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import {
  blockDeviceFacts,
  describeFile,
  erasesBlocks,
  type FileFacts,
  type FileKind,
} from "../../native/file.ts";

/** Alignment of direct I/O on files where the kernel does not say (before Linux 6.1, and tmpfs). */
const DIRECT_ALIGNMENT_ASSUMED = 4096;

/** See the top of this file. */
export class HostFile {
  readonly isBlockDevice: boolean;
  readonly sizeHigh: number;
  readonly sizeLow: number;
  /** Unit of fallocate and discard: 1 for a regular file, the sector of a block device. */
  readonly unitBytes: number;
  /** What direct I/O asks of offsets and lengths, and of memory. */
  readonly directAlignment: number;
  readonly directMemoryAlignment: number;
  readonly facts: FileFacts;
  #erases: boolean | null = null;

  /**
   * `fd`: goes through the page cache. `directFd`: opened with O_DIRECT, or -1. Both are closed by
   * `close`, unless `borrowed`. `label` names the file in messages. Throws BlockError when it is
   * neither a regular file nor a block device.
   */
  constructor(
    readonly label: string,
    readonly fd: number,
    readonly directFd: number,
    readonly borrowed: boolean,
  ) {
    const facts = describeFile(fd);
    this.facts = facts;
    this.isBlockDevice = facts.kind === "block";
    if (facts.kind === "regular") {
      this.sizeHigh = facts.sizeHigh;
      this.sizeLow = facts.sizeLow;
      this.unitBytes = 1;
    } else if (this.isBlockDevice) {
      const device = blockDeviceFacts(fd);
      this.sizeHigh = device.sizeHigh;
      this.sizeLow = device.sizeLow;
      this.unitBytes = device.sectorBytes;
    } else {
      throw wrongKind(label, facts.kind);
    }
    const direct = directFd < 0 ? null : describeFile(directFd).direct;
    if (direct !== null && direct.offset === 0) {
      throw new BlockError(Errno.EOPNOTSUPP, `cannot serve ${label}: it has no direct I/O`);
    }
    const assumed = this.isBlockDevice ? this.unitBytes : DIRECT_ALIGNMENT_ASSUMED;
    this.directAlignment = direct?.offset ?? assumed;
    this.directMemoryAlignment = direct?.memory ?? assumed;
  }

  /** Whether ranges can be erased for good. Asked of files that are open for writing. */
  get erases(): boolean {
    this.#erases ??= this.isBlockDevice && erasesBlocks(this.fd);
    return this.#erases;
  }

  /** Whether a transfer may go past the page cache, as far as the file is concerned. */
  isAligned(offsetLow: number, length: number): boolean {
    return ((offsetLow | length) & this.directAlignment - 1) === 0;
  }

  close(): void {
    if (this.directFd >= 0) closeDescriptor(this.directFd);
    if (!this.borrowed) closeDescriptor(this.fd);
  }
}

/** The error for what is neither a regular file nor a block device. */
export function wrongKind(label: string, kind: FileKind): BlockError {
  if (kind === "directory") {
    const message = `cannot serve ${label}: it is a directory; use "dir=" to serve the files in it`;
    return new BlockError(Errno.EISDIR, message);
  }
  const message = `cannot serve ${label}: it is neither a regular file nor a block device`;
  return new BlockError(Errno.ENODEV, message);
}
