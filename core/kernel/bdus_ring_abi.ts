// SPDX-License-Identifier: MIT
// The second interface of /dev/bdus-control (kmod/abi2.h): devices with rings, as structures, and where
// everything is in the memory that is shared for a queue.

import { Direction, request } from "../../native/ioctl.ts";
import { BdusItem } from "./bdus_abi.ts";

const TYPE = 0xbd;

/** Requests to the control device and, Enter, to the file of a queue. */
export const RingRequest = {
  Create: request(Direction.None, TYPE, 65, 0),
  Attach: request(Direction.None, TYPE, 66, 0),
  GetQueue: request(Direction.None, TYPE, 67, 0),
  Enter: request(Direction.None, TYPE, 68, 0),
  List: request(Direction.None, TYPE, 69, 0),
  Resize: request(Direction.Write, TYPE, 70, 16),
} as const;

/** Bit of what Query tells: devices can have rings. */
export const BDUS_FEATURE_RING = 2;
/** Requests that the driver of a queue has at a time, at the most. */
export const RING_DEPTH_MAX = 4096;

/** Bits of `RingHeader.State`. */
export const RingState = { Available: 1, Terminate: 2, Flush: 4 } as const;

/** Words of the header. */
export const RingHeader = { SqTail: 0, Pending: 1, State: 2, SqHead: 16, CqTail: 17 } as const;

/** Words of an item. */
export const RingItem = { Type: 0, Argument: 1, OffsetLow: 2, OffsetHigh: 3 } as const;
export const ITEM_WORDS = 8;
/** Words of a completion. */
export const RingCompletion = { Tag: 0, Error: 1, PayloadLow: 2, PayloadHigh: 3 } as const;
export const COMPLETION_WORDS = 4;

/** Where the parts of a ring are, in words. */
export interface RingLayout {
  entries: number;
  items: number;
  payloads: number;
  completions: number;
  submissions: number;
  bytes: number;
}

const ITEMS_BYTES = 4096;
const WORD = 4;

/** The layout of a queue of that depth. */
export function ringLayout(depth: number): RingLayout {
  const entries = 2 ** Math.ceil(Math.log2(depth));
  const items = ITEMS_BYTES / WORD;
  const payloads = items + entries * ITEM_WORDS;
  const completions = payloads + entries * 2;
  const submissions = completions + entries * COMPLETION_WORDS;
  return {
    entries,
    items,
    payloads,
    completions,
    submissions,
    bytes: (submissions + entries) * WORD,
  };
}

const DEVICE_BYTES = 128;
const ITEMS_AT = 24;
const LABEL_AT = 96;
const LABEL_BYTES_MAX = 31;
const DeviceFlag = { Recoverable: 1, ReadOnly: 2, Rotational: 4, LinuxIoctls: 32 } as const;
const FLAGS_AT = 4;

/** What a device is like; sizes in bytes. */
export interface RingDevice {
  size: bigint;
  blockSize: number;
  preferredBytes: number;
  requestBytesMax: number;
  timeoutMs: number;
  queues: number;
  depth: number;
  readOnly: boolean;
  write: boolean;
  writeZeroes: boolean;
  fua: boolean;
  flush: boolean;
  discard: boolean;
  secureErase: boolean;
  ioctl: boolean;
  /** Arguments of ioctls go the way that Linux has it. */
  linuxIoctls: boolean;
  rotational: boolean;
  recoverable: boolean;
  /** Printable ASCII without spaces, up to 31 bytes. */
  label: string;
}

/** The argument of Create. */
export function encodeRingDevice(device: RingDevice): Uint8Array<ArrayBuffer> {
  const { blockSize, readOnly, write, writeZeroes, fua, flush, discard } = device;
  const bytes = encodeRingDeviceId(0);
  const view = new DataView(bytes.buffer);
  let flags = 0;
  if (device.recoverable) flags |= DeviceFlag.Recoverable;
  if (readOnly) flags |= DeviceFlag.ReadOnly;
  if (device.rotational) flags |= DeviceFlag.Rotational;
  if (device.linuxIoctls) flags |= DeviceFlag.LinuxIoctls;
  view.setUint32(FLAGS_AT, flags, true);
  view.setBigUint64(16, device.size, true);
  let items = 1 << BdusItem.Read;
  if (write) items |= 1 << BdusItem.Write;
  if (writeZeroes) items |= 1 << BdusItem.WriteZeroesNoUnmap | 1 << BdusItem.WriteZeroesMayUnmap;
  if (fua) items |= 1 << BdusItem.FuaWrite;
  if (flush) items |= 1 << BdusItem.Flush;
  if (discard) items |= 1 << BdusItem.Discard;
  if (device.secureErase) items |= 1 << BdusItem.SecureErase;
  if (device.ioctl) items |= 1 << BdusItem.Ioctl;
  view.setUint32(ITEMS_AT, items, true);
  const words = [
    blockSize,
    blockSize,
    blockSize,
    device.preferredBytes,
    device.requestBytesMax,
  ];
  words.forEach((word, index) => view.setUint32(28 + index * WORD, word, true));
  view.setUint32(68, device.timeoutMs, true);
  view.setUint32(72, device.queues, true);
  view.setUint32(76, device.depth, true);
  const label = device.label.replace(/[^!-~]+/g, "-").slice(0, LABEL_BYTES_MAX);
  bytes.set(new TextEncoder().encode(label), LABEL_AT);
  return bytes;
}

/** The argument of Attach, or of List, which then tells about the first device that is not below. */
export function encodeRingDeviceId(id: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(DEVICE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, DEVICE_BYTES, true);
  view.setBigUint64(8, BigInt(id), true);
  return bytes;
}

/** The argument of Resize. */
export function encodeResize(id: number, size: bigint): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([BigInt(id), size]).buffer);
}

/** States of a device. */
export const BDUS_STATES = ["unavailable", "active", "inactive", "terminated"] as const;

/** What the module says about a device. */
export interface BdusDescription {
  id: number;
  size: number;
  requestBytesMax: number;
  /** 0: a device without rings. */
  queues: number;
  depth: number;
  /** It has ioctls, and whether their arguments go the way that Linux has it. */
  ioctl: boolean;
  linuxIoctls: boolean;
  state: typeof BDUS_STATES[number];
  /** Process that drives it; 0: none. */
  driver: number;
  label: string;
}

/** Reads it out of an argument that the module has filled in. */
export function decodeRingDevice(bytes: Uint8Array<ArrayBuffer>): BdusDescription {
  const view = new DataView(bytes.buffer);
  const label = bytes.subarray(LABEL_AT, DEVICE_BYTES);
  return {
    id: Number(view.getBigUint64(8, true)),
    size: Number(view.getBigUint64(16, true)),
    requestBytesMax: view.getUint32(44, true),
    queues: view.getUint32(72, true),
    depth: view.getUint32(76, true),
    ioctl: (view.getUint32(ITEMS_AT, true) >> BdusItem.Ioctl & 1) === 1,
    linuxIoctls: (view.getUint32(FLAGS_AT, true) & DeviceFlag.LinuxIoctls) !== 0,
    state: BDUS_STATES[view.getUint32(88, true)] ?? "terminated",
    driver: view.getUint32(92, true),
    label: new TextDecoder().decode(label.subarray(0, label.indexOf(0))),
  };
}
