// SPDX-License-Identifier: MIT
// Numbers and structures of ublk (uapi/linux/ublk_cmd.h). Fields are in the byte order of the processor.

import { highOf, lowOf } from "../block/uint64.ts";
import type { ZoneInfo } from "../block/zones.ts";

const MAGIC = 0x75; // "u"
const CONTROL_COMMAND_BYTES = 32;
const IO_COMMAND_BYTES = 16;
const DIRECTION_READ = 2;
const DIRECTION_BOTH = 3;

function ioctlNumber(direction: number, number: number, bytes: number): number {
  return ((direction << 30) | (bytes << 16) | (MAGIC << 8) | number) >>> 0;
}

const both = (number: number) => ioctlNumber(DIRECTION_BOTH, number, CONTROL_COMMAND_BYTES);
const reading = (number: number) => ioctlNumber(DIRECTION_READ, number, CONTROL_COMMAND_BYTES);

/** Commands to /dev/ublk-control. */
export const UblkControl = {
  AddDev: both(0x04),
  DelDev: both(0x05),
  StartDev: both(0x06),
  StopDev: both(0x07),
  SetParams: both(0x08),
  GetParams: reading(0x09),
  StartUserRecovery: both(0x10),
  EndUserRecovery: both(0x11),
  GetDevInfo2: reading(0x12),
  GetFeatures: reading(0x13),
  DelDevAsync: reading(0x14),
  UpdateSize: both(0x15),
} as const;

/** Commands to /dev/ublkcN. */
export const UblkIo = {
  Fetch: ioctlNumber(DIRECTION_BOTH, 0x20, IO_COMMAND_BYTES),
  CommitAndFetch: ioctlNumber(DIRECTION_BOTH, 0x21, IO_COMMAND_BYTES),
} as const;

/** Features and flags of a device. */
export const UblkFlag = {
  UserRecovery: 1 << 3,
  UserRecoveryReissue: 1 << 4,
  UnprivilegedDev: 1 << 5,
  IoctlEncode: 1 << 6,
  UserCopy: 1 << 7,
  Zoned: 1 << 8,
  UpdateSize: 1 << 10,
} as const;

/** States of a device. */
export const UblkState = { Dead: 0, Live: 1, Quiesced: 2, FailIo: 3 } as const;

/** Operations of a request, in the low byte of `op_flags`. */
export const UblkOperation = {
  Read: 0,
  Write: 1,
  Flush: 2,
  Discard: 3,
  WriteZeroes: 5,
  ZoneOpen: 10,
  ZoneClose: 11,
  ZoneFinish: 12,
  ZoneAppend: 13,
  ZoneResetAll: 14,
  ZoneReset: 15,
  /** The number of zones is where others have that of sectors. */
  ReportZones: 18,
} as const;
export const OPERATION_MASK = 0xff;
/** Flags of a request, in the other bits. */
export const UblkRequestFlag = { Fua: 1 << 13, NoUnmap: 1 << 15 } as const;

/** Size of struct ublksrv_io_desc in 32-bit words: op_flags, sectors, start (2), address (2). */
export const DESCRIPTOR_WORDS = 6;
/** With UserCopy the data of a request lies at an offset of /dev/ublkcN that its queue and tag say. */
const DATA_OFFSET = 0x80000000;
const DATA_TAG = 2 ** 25;
const DATA_QUEUE = 2 ** 41;

/** That offset. */
export function dataOffset(queue: number, tag: number): number {
  return DATA_OFFSET + queue * DATA_QUEUE + tag * DATA_TAG;
}

/** Descriptors of queues lie so many entries apart in the mapping of /dev/ublkcN. */
export const QUEUE_DEPTH_MAX = 4096;

const ATTRIBUTE_READ_ONLY = 1;
const ATTRIBUTE_ROTATIONAL = 2;
const ATTRIBUTE_VOLATILE_CACHE = 4;
const ATTRIBUTE_FUA = 8;
const PARAMETERS_BASIC = 1;
const PARAMETERS_DISCARD = 2;
const PARAMETERS_ZONED = 8;
const PARAMETERS_BYTES = 64;
/** With those of zones, which come behind numbers that only the driver sets. */
const PARAMETERS_BYTES_ZONED = 112;
const ZONED_AT = 76;
const SECTOR_BYTES = 512;
const SECTOR_SHIFT = 9;
/** Sectors of the longest discard: less than 4 GiB. */
const CLEAR_SECTORS_MAX = 0xffffffff >>> SECTOR_SHIFT;

/** struct ublksrv_ctrl_dev_info. */
export interface UblkDeviceInfo {
  queues: number;
  depth: number;
  state: number;
  requestBytesMax: number;
  device: number;
  pid: number;
  flags: number;
}

export const DEVICE_INFO_BYTES = 64;

/** Encodes what ADD_DEV takes; device 0xffffffff: any that is free. */
export function encodeDeviceInfo(info: UblkDeviceInfo): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(DEVICE_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, info.queues, true);
  view.setUint16(2, info.depth, true);
  view.setUint16(4, info.state, true);
  view.setUint32(8, info.requestBytesMax, true);
  view.setUint32(12, info.device, true);
  view.setInt32(16, info.pid, true);
  view.setBigUint64(24, BigInt(info.flags), true);
  return bytes;
}

/** Decodes what ADD_DEV and GET_DEV_INFO give. */
export function decodeDeviceInfo(bytes: Uint8Array<ArrayBuffer>): UblkDeviceInfo {
  const view = new DataView(bytes.buffer);
  return {
    queues: view.getUint16(0, true),
    depth: view.getUint16(2, true),
    state: view.getUint16(4, true),
    requestBytesMax: view.getUint32(8, true),
    device: view.getUint32(12, true),
    pid: view.getInt32(16, true),
    flags: Number(view.getBigUint64(24, true) & 0xffffffffn),
  };
}

/** What the block layer may do with a device. */
export interface UblkParameters {
  /** Bytes, a multiple of `blockSize`. */
  size: bigint;
  blockSize: number;
  /** Preferred size of a request. */
  preferredBytes: number;
  requestBytesMax: number;
  readOnly: boolean;
  rotational: boolean;
  flush: boolean;
  fua: boolean;
  discard: boolean;
  writeZeroes: boolean;
  /** Null for a device without zones. */
  zones: Pick<ZoneInfo, "size" | "maxOpen" | "maxActive" | "maxAppend"> | null;
}

/** Encodes struct ublk_params. */
export function encodeParameters(parameters: UblkParameters): Uint8Array<ArrayBuffer> {
  const { blockSize, preferredBytes, discard, writeZeroes, zones } = parameters;
  const bytes = new Uint8Array(zones === null ? PARAMETERS_BYTES : PARAMETERS_BYTES_ZONED);
  const view = new DataView(bytes.buffer);
  const clears = discard || writeZeroes;
  view.setUint32(0, bytes.length, true);
  const types = PARAMETERS_BASIC | (clears ? PARAMETERS_DISCARD : 0) |
    (zones === null ? 0 : PARAMETERS_ZONED);
  view.setUint32(4, types, true);
  view.setUint32(8, attributes(parameters), true);
  const shift = Math.log2(blockSize);
  view.setUint8(12, shift);
  view.setUint8(13, Math.max(shift, Math.min(12, Math.log2(preferredBytes))));
  view.setUint8(14, Math.max(shift, Math.log2(preferredBytes)));
  view.setUint8(15, shift);
  view.setUint32(16, parameters.requestBytesMax / SECTOR_BYTES, true);
  const sectors = parameters.size / BigInt(SECTOR_BYTES);
  view.setUint32(24, lowOf(sectors), true);
  view.setUint32(28, highOf(sectors), true);
  if (zones !== null) {
    // No request reaches across a border of zones.
    view.setUint32(20, zones.size / SECTOR_BYTES, true);
    view.setUint32(ZONED_AT, zones.maxOpen, true);
    view.setUint32(ZONED_AT + 4, zones.maxActive, true);
    view.setUint32(ZONED_AT + 8, zones.maxAppend / SECTOR_BYTES, true);
  }
  if (!clears) return bytes;
  const most = CLEAR_SECTORS_MAX - CLEAR_SECTORS_MAX % (blockSize / SECTOR_BYTES);
  view.setUint32(44, blockSize, true);
  view.setUint32(48, discard ? most : 0, true);
  view.setUint32(52, writeZeroes ? most : 0, true);
  // One range in each discard.
  view.setUint16(56, 1, true);
  return bytes;
}

function attributes(parameters: UblkParameters): number {
  let bits = 0;
  if (parameters.readOnly) bits |= ATTRIBUTE_READ_ONLY;
  if (parameters.rotational) bits |= ATTRIBUTE_ROTATIONAL;
  if (parameters.flush) bits |= ATTRIBUTE_VOLATILE_CACHE;
  if (parameters.fua) bits |= ATTRIBUTE_FUA;
  return bits;
}
