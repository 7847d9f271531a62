// SPDX-License-Identifier: MIT
// One datagram to a unix socket: how sd_notify(3) and syslog(3) reach their daemons.

import { closeDescriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { lateLibc, libc } from "./libc.ts";
import { encodeAddress } from "./socket.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/** Connects to the datagram socket at `path` (`@name`: abstract). Throws SystemError. */
export function connectDatagram(path: string): number {
  const where = `send to ${path}`;
  const address = encodeAddress({ kind: "unix", path });
  const fd = check(lateLibc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), where);
  try {
    check(lateLibc.connect(fd, address, address.length), where);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Sends one datagram on a connected socket. Throws SystemError. */
export function sendDatagram(fd: number, bytes: Uint8Array<ArrayBuffer>): void {
  check(libc.write(fd, bytes, bytes.length), `send ${bytes.length} bytes`);
}
