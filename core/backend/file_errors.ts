// SPDX-License-Identifier: MIT
// What a client is told, and the log, when a system call on a file has failed.

import { Errno, errnoName } from "../block/errno.ts";
import type { Request } from "../block/request.ts";
import type { FileServices } from "./file_services.ts";
import type { HostFile } from "./host_file.ts";

/** Sets the error text of `request` and returns `errno` for it. `verb`: what was tried. */
export function failed(
  services: FileServices,
  file: HostFile,
  request: Request,
  verb: string,
  errno: number,
): number {
  // A flush has no range.
  const range = request.length > 0 ? ` ${request.length} bytes at ${request.offset}` : "";
  const text = `cannot ${verb}${range}: ${errnoName(errno)}`;
  request.errorText = text;
  // A full disk is the client's business; a broken one is the administrator's.
  if (errno === Errno.EIO) services.report(`${file.label}: ${text}`);
  return errno;
}

/**
 * Answers a read of which only `done` bytes at `address` could be read: those, and `errno` for the
 * rest. Returns what the request ends with.
 */
export function failedRead(
  services: FileServices,
  file: HostFile,
  request: Request,
  address: number,
  done: number,
  errno: number,
): number {
  failed(services, file, request, "read", errno);
  if (done === 0) return errno;
  request.data(0, address, done, false);
  request.fail(done, request.lengthLow - done, errno);
  return 0;
}

/** Like `failedRead` for a file that has become shorter since the export was opened. */
export function endedRead(
  services: FileServices,
  file: HostFile,
  request: Request,
  address: number,
  done: number,
): number {
  const result = failedRead(services, file, request, address, done, Errno.EIO);
  request.errorText = "the file has become shorter since it was opened";
  return result;
}

/** No memory for the request. */
export function outOfMemory(request: Request): number {
  request.errorText = "the server has no memory left for this request";
  return Errno.ENOMEM;
}
