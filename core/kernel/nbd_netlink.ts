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

const FAMILY = "nbd";
const VERSION = 1;

const Command = { Connect: 1, Disconnect: 2, Reconfigure: 3 } as const;

const Attribute = {
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
  using netlink = new GenericNetlink(FAMILY, VERSION);
  const answer = netlink.request(Command.Connect, what, [
    ...index === null ? [] : [attributeU32(Attribute.Index, index)],
    attributeU64(Attribute.SizeBytes, settings.size),
    attributeU64(Attribute.BlockSizeBytes, BigInt(settings.blockSize)),
    ...commonAttributes(settings),
    socketList(sockets),
  ]);
  const given = u32Of(answer, Attribute.Index) ?? index;
  if (given === null) throw new SystemError(what, Errno.EPROTO);
  return given;
}

/** Gives a device whose connections are lost new ones. Throws SystemError. */
export function reconnectNbd(
  index: number,
  settings: NbdSettings,
  sockets: readonly number[],
): void {
  using netlink = new GenericNetlink(FAMILY, VERSION);
  netlink.request(Command.Reconfigure, `reconnect /dev/nbd${index}`, [
    attributeU32(Attribute.Index, index),
    ...commonAttributes(settings),
    socketList(sockets),
  ]);
}

/** Changes the size of a device that is in use. Throws SystemError. */
export function resizeNbd(index: number, size: bigint, identifier: string): void {
  using netlink = new GenericNetlink(FAMILY, VERSION);
  netlink.request(Command.Reconfigure, `resize /dev/nbd${index}`, [
    attributeU32(Attribute.Index, index),
    attributeU64(Attribute.SizeBytes, size),
    attributeText(Attribute.BackendIdentifier, identifier),
  ]);
}

/** Ends a device: what it still had to do fails. Throws SystemError. */
export function disconnectNbd(index: number): void {
  using netlink = new GenericNetlink(FAMILY, VERSION);
  netlink.request(Command.Disconnect, `disconnect /dev/nbd${index}`, [
    attributeU32(Attribute.Index, index),
  ]);
}

function commonAttributes(settings: NbdSettings): Uint8Array[] {
  return [
    attributeU64(Attribute.ServerFlags, BigInt(settings.flags)),
    attributeU64(Attribute.Timeout, BigInt(settings.timeoutSeconds)),
    attributeU64(Attribute.DeadConnectionTimeout, BigInt(settings.recoverySeconds)),
    attributeText(Attribute.BackendIdentifier, settings.identifier),
  ];
}

function socketList(sockets: readonly number[]): Uint8Array {
  const items = sockets.map((fd) => attributeNest(SOCKET_ITEM, attributeU32(SOCKET_FD, fd)));
  return attributeNest(Attribute.Sockets, ...items);
}
