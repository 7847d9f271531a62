// SPDX-License-Identifier: MIT
// A unix socket file outlives a server that was killed. Nobody listens on it, so it may be replaced.

import { closeDescriptor } from "../../native/descriptor.ts";
import { check, lastErrno } from "../../native/errno.ts";
import { libc } from "../../native/libc.ts";
import { encodeAddress } from "../../native/socket.ts";
import { Errno } from "../block/errno.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Removes the socket at `path` if nobody listens on it, and says whether it did. Throws Error when
 * somebody does, or when the file is not a socket.
 */
export function removeStaleSocket(path: string): boolean {
  if (path.startsWith("@")) return false;
  const info = lookAt(path);
  if (!info) return false;
  if (!info.isSocket) throw new Error(`cannot listen on "${path}": a file is there already`);
  if (!isStale(path)) {
    throw new Error(`cannot listen on "${path}": another server listens there`);
  }
  Deno.removeSync(path);
  return true;
}

function lookAt(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Anything but a refusal (a full queue, no permission) means that somebody may be there. */
function isStale(path: string): boolean {
  const address = encodeAddress({ kind: "unix", path });
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(libc.socket(AF_UNIX, type, 0), `look at socket "${path}"`);
  const refused = libc.connect(fd, address, address.length) < 0 &&
    lastErrno() === Errno.ECONNREFUSED;
  closeDescriptor(fd);
  return refused;
}
