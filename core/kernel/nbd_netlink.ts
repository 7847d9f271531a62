// SPDX-License-Identifier: MIT
// How nbd.ko is told what to do: generic netlink, family "nbd" (uapi/linux/nbd-netlink.h).

import { Errno } from "../block/errno.ts";
import { SystemError } from "../../native/errno.ts";
import {
  attributeNest,
  attributeText,
  attributeU32,
  attributeU64,
  GenericNetlink,
  u32Of,
} from "../../native/netlink.ts";

export const NBD_FAMILY = "nbd";
export const NBD_VERSION = 1;
/** Who listens to it is told about connections that the kernel has given up. */
export const NBD_GROUP = "nbd_mc_group";

export const NbdCommand = { Connect: 1, Disconnect: 2, Reconfigure: 3, LinkDead: 4 } as const;

export const NbdAttribute = {
  Index: 1,
  SizeBytes: 2,
  BlockSizeBytes: 3,
  Timeout: 4,
  ServerFlags: 5,
  Sockets: 7,
  DeadConnectionTimeout: 8,
  BackendIdentifier: 10,
} as const;
const SOCKET_ITEM = 1;
const SOCKET_FD = 1;

/** What the kernel has to know about a device. */
export interface NbdSettings {
  /** Bytes, a multiple of `blockSize`. */
  size: bigint;
  /** Logical block size, a power of two from 512 to 4096. */
  blockSize: number;
  /** Transmission flags of the NBD protocol. */
  flags: number;
  /** A request that takes longer is sent on another connection; 0: never. */
  timeoutSeconds: number;
  /** How long requests wait for another connection when the last one is lost; 0: they fail. */
  recoverySeconds: number;
  /** What a successor has to name. Kernels before 5.14 do not ask. */
  identifier: string;
}

/**
 * Makes a device of connected sockets, which are in transmission. `index` is its number; null takes
 * a free one. Returns its number. Throws SystemError: EBUSY for one that is in use.
 */
export function connectNbd(
  index: number | null,
  settings: NbdSettings,
  sockets: readonly number[],
): number {
  const what = index === null ? "connect a free nbd device" : `connect /dev/nbd${index}`;
  using netlink = new GenericNetlink(NBD_FAMILY, NBD_VERSION);
  const answer = netlink.request(NbdCommand.Connect, what, [
    ...index === null ? [] : [attributeU32(NbdAttribute.Index, index)],
    attributeU64(NbdAttribute.SizeBytes, settings.size),
    attributeU64(NbdAttribute.BlockSizeBytes, BigInt(settings.blockSize)),
    ...commonAttributes(settings),
    socketList(sockets),
  ]);
  const given = u32Of(answer, NbdAttribute.Index) ?? index;
  if (given === null) throw new SystemError(what, Errno.EPROTO);
  return given;
}

/** Gives a device whose connections are lost new ones. Throws SystemError. */
export function reconnectNbd(
  index: number,
  settings: NbdSettings,
  sockets: readonly number[],
): void {
  using netlink = new GenericNetlink(NBD_FAMILY, NBD_VERSION);
  netlink.request(NbdCommand.Reconfigure, `reconnect /dev/nbd${index}`, [
    attributeU32(NbdAttribute.Index, index),
    ...commonAttributes(settings),
    socketList(sockets),
  ]);
}

/** Changes the size of a device that is in use. Throws SystemError. */
export function resizeNbd(index: number, size: bigint, identifier: string): void {
  using netlink = new GenericNetlink(NBD_FAMILY, NBD_VERSION);
  netlink.request(NbdCommand.Reconfigure, `resize /dev/nbd${index}`, [
    attributeU32(NbdAttribute.Index, index),
    attributeU64(NbdAttribute.SizeBytes, size),
    attributeText(NbdAttribute.BackendIdentifier, identifier),
  ]);
}

/** Ends a device: what it still had to do fails. Throws SystemError. */
export function disconnectNbd(index: number): void {
  using netlink = new GenericNetlink(NBD_FAMILY, NBD_VERSION);
  netlink.request(NbdCommand.Disconnect, `disconnect /dev/nbd${index}`, [
    attributeU32(NbdAttribute.Index, index),
  ]);
}

function commonAttributes(settings: NbdSettings): Uint8Array[] {
  return [
    attributeU64(NbdAttribute.ServerFlags, BigInt(settings.flags)),
    attributeU64(NbdAttribute.Timeout, BigInt(settings.timeoutSeconds)),
    attributeU64(NbdAttribute.DeadConnectionTimeout, BigInt(settings.recoverySeconds)),
    attributeText(NbdAttribute.BackendIdentifier, settings.identifier),
  ];
}

function socketList(sockets: readonly number[]): Uint8Array {
  const items = sockets.map((fd) => attributeNest(SOCKET_ITEM, attributeU32(SOCKET_FD, fd)));
  return attributeNest(NbdAttribute.Sockets, ...items);
}
