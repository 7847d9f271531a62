// SPDX-License-Identifier: MIT
// TCP listeners on several hosts with one port: names looked up, a free port found for all of them.

import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { parseIpv4, parseIpv6 } from "../../native/ip.ts";
import { listenOn, localAddress } from "../../native/socket.ts";
import type { ListenAddress } from "./options.ts";

/** A host to listen on. */
export interface ListenHost {
  /** A numeric address or a name. */
  name: string;
  /** Which addresses of a name. */
  family: "any" | "ipv4" | "ipv6";
  /** Where the system has no IPv6, it is left out. */
  optional?: true;
}

/** How often another port is tried when the one that was free on one address is not on the next. */
const PORT_ATTEMPTS_MAX = 16;

/**
 * The addresses of `hosts` with `port`. With port 0 the sockets are opened here, all with the same
 * port, and come back as descriptors. `skipped` is told of optional hosts that are left out.
 * Throws Error for a name that cannot be looked up and SystemError for an address that is not ours.
 */
export async function listenAddresses(
  hosts: readonly ListenHost[],
  port: number,
  skipped: (host: string) => void,
): Promise<ListenAddress[]> {
  const addresses: string[] = [];
  for (const host of hosts) {
    if (host.optional && !canListen(host.name)) skipped(host.name);
    else addresses.push(...await numeric(host));
  }
  if (port !== 0) return addresses.map((host) => ({ kind: "tcp", host, port }));
  return listenOnFreePort(addresses).map((fd) => ({ kind: "fd", fd }));
}

async function numeric({ name, family }: ListenHost): Promise<string[]> {
  if (parseIpv4(name) || parseIpv6(name)) return [name];
  const { resolveHost } = await import("../../native/resolve.ts");
  return resolveHost(name, family);
}

function canListen(host: string): boolean {
  try {
    closeDescriptor(listenOn({ kind: "tcp", host, port: 0 }));
    return true;
  } catch {
    return false;
  }
}

/** Listening sockets on all `hosts` with one port that was free on each. */
function listenOnFreePort(hosts: readonly string[]): number[] {
  for (let attempt = 1;; attempt++) {
    const fds: number[] = [];
    let port = 0;
    try {
      for (const host of hosts) {
        const fd = listenOn({ kind: "tcp", host, port });
        fds.push(fd);
        const address = localAddress(fd);
        if (address.kind === "tcp") port = address.port;
      }
      return fds;
    } catch (error) {
      for (const fd of fds) closeDescriptor(fd);
      const taken = error instanceof SystemError && error.code === "EADDRINUSE" && fds.length > 0;
      if (!taken || attempt === PORT_ATTEMPTS_MAX) throw error;
    }
  }
}
