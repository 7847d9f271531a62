// SPDX-License-Identifier: MIT
// The interface of /dev/bdus-control (kmod/abi.h): requests, the configuration of a device, and the
// slots in which items and replies are exchanged.

import { Direction, request } from "../../native/ioctl.ts";

const TYPE = 0xbd;
const { None, Read, Write, ReadWrite } = Direction;

/** Requests to the control device. */
export const BdusRequest = {
  GetVersion: request(Write, TYPE, 0, 16),
  CreateDevice: request(ReadWrite, TYPE, 1, 256),
  AttachToDevice: request(ReadWrite, TYPE, 2, 256),
  Terminate: request(None, TYPE, 3, 0),
  MarkAsSuccessful: request(None, TYPE, 4, 0),
  TriggerDestruction: request(Read, TYPE, 8, 8),
  ReceiveItem: request(None, TYPE, 10, 0),
  SendReply: request(None, TYPE, 11, 0),
  SendReplyAndReceiveItem: request(None, TYPE, 12, 0),
  Query: request(ReadWrite, TYPE, 64, 16),
} as const;

/** What a driver is asked for. */
export const BdusItem = {
  DeviceAvailable: 0,
  Terminate: 1,
  FlushAndTerminate: 2,
  Read: 3,
  Write: 4,
  WriteZeroesNoUnmap: 6,
  WriteZeroesMayUnmap: 7,
  FuaWrite: 8,
  Flush: 9,
  Discard: 10,
  SecureErase: 11,
  Ioctl: 12,
} as const;

/** Bytes of room for the argument of an ioctl. */
export const BDUS_IOCTL_BYTES = 16384;
/** Bit of the number of an ioctl by which the client gives its argument: as Linux has it, that of _IOW. */
export const IOCTL_GIVES = 1 << 30;
/** ... and as BDUS 0.1 has it, the other way round. */
export const BDUS_IOCTL_GIVES = 1 << 31;

/** Bit of what Query tells: sessions can be polled and need not wait. */
export const BDUS_FEATURE_POLL = 1;
/** ... and devices with rings can have ioctls as Linux has them. */
export const BDUS_FEATURE_LINUX_IOCTLS = 4;
/** Requests that a driver has at a time, at the most. */
export const BDUS_DEPTH_MAX = 256;
/** Bytes of a slot. */
export const SLOT_BYTES = 64;
/** Where in a slot its fields are. */
export const Slot = {
  Payload: 0,
  Index: 16,
  UsePreallocatedBuffer: 18,
  Type: 19,
  /** Length of an item, errno of a reply. */
  Value: 20,
  Offset: 24,
} as const;

/** Answer to Query: the features. Nothing else of it is needed. */
export function featuresOf(query: Uint8Array<ArrayBuffer>): number {
  return new DataView(query.buffer).getUint32(4, true);
}

const IOCTL_AT = 52;

/** What a device is like; sizes in bytes. */
export interface BdusConfig {
  size: bigint;
  blockSize: number;
  requestBytesMax: number;
  depth: number;
  read: boolean;
  write: boolean;
  writeZeroes: boolean;
  fua: boolean;
  flush: boolean;
  discard: boolean;
  secureErase: boolean;
  ioctl: boolean;
  rotational: boolean;
  recoverable: boolean;
}

/** The argument of CreateDevice. */
export function encodeConfig(config: BdusConfig): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, config.size, true);
  view.setUint32(16, config.blockSize, true);
  view.setUint32(20, config.blockSize, true);
  view.setUint32(24, config.requestBytesMax, true);
  view.setUint32(40, config.depth, true);
  const { read, write, writeZeroes, fua, flush, discard, rotational, recoverable } = config;
  const { secureErase, ioctl } = config;
  const merge = true;
  const partitions = true;
  const flags: [at: number, flag: boolean][] = [
    [44, read],
    [45, write],
    [47, writeZeroes],
    [48, fua],
    [49, flush],
    [50, discard],
    [51, secureErase],
    [IOCTL_AT, ioctl],
    [53, rotational],
    [54, merge],
    [55, partitions],
    [56, recoverable],
  ];
  for (const [at, flag] of flags) bytes[at] = flag ? 1 : 0;
  return bytes;
}

/** The argument of AttachToDevice. */
export function encodeDevice(id: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(256);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(id), true);
  return bytes;
}

/** What the kernel has made of a configuration. */
export interface BdusAdjusted {
  id: number;
  size: bigint;
  blockSize: number;
  requestBytesMax: number;
  depth: number;
  /** It has ioctls. */
  ioctl: boolean;
}

/** Reads it out of the argument of CreateDevice or AttachToDevice. */
export function decodeConfig(bytes: Uint8Array<ArrayBuffer>): BdusAdjusted {
  const view = new DataView(bytes.buffer);
  return {
    id: Number(view.getBigUint64(0, true)),
    size: view.getBigUint64(8, true),
    blockSize: view.getUint32(16, true),
    requestBytesMax: view.getUint32(24, true),
    depth: view.getUint32(40, true),
    ioctl: bytes[IOCTL_AT] !== 0,
  };
}
