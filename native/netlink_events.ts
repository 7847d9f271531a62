// SPDX-License-Identifier: MIT
// What a family of generic netlink tells everybody who listens to one of its multicast groups
// (netlink(7), NETLINK_ADD_MEMBERSHIP).

import { closeDescriptor } from "./descriptor.ts";
import { check, lastErrno } from "./errno.ts";
import { lateLibc, libc } from "./libc.ts";
import { type Attributes, GenericNetlink, messagesIn, parseAttributes } from "./netlink.ts";

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_GENERIC = 16;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const ADDRESS = new Uint8Array([AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const GENERIC_HEADER_BYTES = 4;
const MESSAGE_BYTES_MAX = 8192;
/** So many messages came that some were lost. */
const ENOBUFS = 105;

/** A message to the group; null stands for some that were lost. */
export type NetlinkEvent = { command: number; attributes: Attributes } | null;

/** See the top of this file. For `using`. */
export class NetlinkEvents implements Disposable {
  /** Readable when there is something to take. */
  readonly fd: number;

  /** Throws SystemError; with ENOENT where the kernel has no such family. */
  constructor(family: string, version: number, group: string) {
    using netlink = new GenericNetlink(family, version);
    const id = new Uint8Array(new Uint32Array([netlink.group(group)]).buffer);
    const what = `listen to the netlink group "${group}"`;
    this.fd = check(lateLibc.socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_GENERIC), what);
    try {
      check(lateLibc.bind(this.fd, ADDRESS, ADDRESS.length), what);
      check(lateLibc.setsockopt(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, id, id.length), what);
    } catch (error) {
      closeDescriptor(this.fd);
      throw error;
    }
  }

  /** What has come. */
  take(): NetlinkEvent[] {
    const events: NetlinkEvent[] = [];
    const buffer = new Uint8Array(MESSAGE_BYTES_MAX);
    for (;;) {
      const length = libc.read(this.fd, buffer, buffer.length);
      if (length < 0 && lastErrno() === ENOBUFS) events.push(null);
      else if (length <= 0) return events;
      else events.push(...eventsIn(buffer.slice(0, length)));
    }
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.fd);
  }
}

function eventsIn(bytes: Uint8Array<ArrayBuffer>): NetlinkEvent[] {
  return [...messagesIn(bytes)].filter(({ body }) => body.length >= GENERIC_HEADER_BYTES)
    .map(({ body }) => ({
      command: body[0]!,
      attributes: parseAttributes(body.subarray(GENERIC_HEADER_BYTES)),
    }));
}
