// SPDX-License-Identifier: MIT
// What a policy knows of a client from the moment it has connected and chosen an export.

import { type AddressBlock, parseBlock } from "./address.ts";
import { TRANSPORTS } from "./vocabulary.ts";

/** See the top of this file. What does not exist for a client is null. */
export interface ConnectionFacts {
  /** The export's name as the server calls it. */
  exportName: string;
  /** One bit of TRANSPORTS. */
  transport: number;
  /** A block of one address. */
  address: AddressBlock | null;
  /** Credentials of the process at the other end of a unix socket. */
  uid: number | null;
  gid: number | null;
  pid: number | null;
  /** Who the client has proved to be with TLS. */
  tlsIdentity: string | null;
}

/**
 * The facts about a client that the host describes as `peer`: `tcp:192.0.2.1:4321`,
 * `tcp:[2001:db8::1]:4321`, `unix:pid=12,uid=0,gid=0`; anything else is of the transport `other`.
 */
export function connectionFacts(
  peer: string,
  exportName: string,
  tlsIdentity: string | null = null,
): ConnectionFacts {
  const unknown = { exportName, address: null, uid: null, gid: null, pid: null, tlsIdentity };
  const tcp = /^tcp:(?:\[([^\]%]*)(?:%[^\]]*)?\]|([^:]*)):[0-9]+$/.exec(peer);
  const address = tcp ? parseBlock(tcp[1] ?? tcp[2]!) : null;
  if (address) return { ...unknown, transport: TRANSPORTS.get("tcp")!, address };
  const unix = /^unix:pid=([0-9]+),uid=([0-9]+),gid=([0-9]+)$/.exec(peer);
  if (!unix) return { ...unknown, transport: TRANSPORTS.get("other")! };
  const [pid, uid, gid] = unix.slice(1).map(Number) as [number, number, number];
  return { ...unknown, transport: TRANSPORTS.get("unix")!, pid, uid, gid };
}
