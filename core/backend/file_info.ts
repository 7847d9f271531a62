// SPDX-License-Identifier: MIT
// What a client is told about a file: size, block sizes, capabilities.

import { BLOCK_SIZE_DEFAULT, type BlockSize, type ExportInfo, Support } from "../block/export.ts";
import type { HostFile } from "./host_file.ts";

/** Bounds of the preferred block size (NBD_INFO_BLOCK_SIZE). */
const PREFERRED_MIN = 4096;
const PREFERRED_MAX = 1024 * 1024;

/** The facts about `file` as the export `name`. */
export function fileInfo(
  file: HostFile,
  name: string,
  description: string,
  readOnly: boolean,
): ExportInfo {
  const writing = readOnly ? Support.None : Support.Native;
  return {
    name,
    description,
    sizeHigh: file.sizeHigh,
    sizeLow: file.sizeLow,
    readOnly,
    rotational: file.isBlockDevice && isRotational(file.facts.deviceMajor, file.facts.deviceMinor),
    blockSize: blockSize(file),
    can: {
      write: writing,
      flush: Support.Native,
      fua: Support.Native,
      trim: writing,
      zero: writing,
      fastZero: writing,
      cache: file.directFd >= 0 ? Support.None : Support.Native,
      extents: file.isBlockDevice ? Support.None : Support.Native,
      // A flush syncs the file whoever wrote to it.
      multiConn: Support.Native,
      secureErase: !readOnly && file.erases ? Support.Native : Support.None,
      ioctl: Support.None,
    },
  };
}

function blockSize(file: HostFile): BlockSize {
  // A client never asks for what lies behind the last whole block, so a file of odd size that is to
  // be read completely must not have a minimum; what is not aligned goes through the page cache.
  const aligned = file.directFd >= 0 && file.sizeLow % file.directAlignment === 0;
  const minimum = aligned ? file.directAlignment : BLOCK_SIZE_DEFAULT.minimum;
  const wanted = Math.max(file.facts.preferredBytes, file.directAlignment, PREFERRED_MIN);
  const preferred = 2 ** Math.floor(Math.log2(Math.min(wanted, PREFERRED_MAX)));
  return { minimum, preferred, maximum: BLOCK_SIZE_DEFAULT.maximum };
}

/** What the kernel says of the disk; a partition has the queue of the disk that it is on. */
function isRotational(major: number, minor: number): boolean {
  for (const directory of ["queue", "../queue"]) {
    try {
      const path = `/sys/dev/block/${major}:${minor}/${directory}/rotational`;
      return Deno.readTextFileSync(path).trim() === "1";
    } catch {
      // Not there; or /sys is not.
    }
  }
  return false;
}
