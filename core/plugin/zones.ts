// SPDX-License-Identifier: MIT
// Zones of an export: what a plugin says about them in sb_zones, what may be asked of them, and what is a
// lie in an answer about them (ABI, "Zones").

import { BlockError, Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import type { Request } from "../block/request.ts";
import { toNumber } from "../block/uint64.ts";
import { ZoneCommand, ZoneCondition, type ZoneInfo, ZoneType } from "../block/zones.ts";
import { isPowerOfTwo } from "./info.ts";
import type { NodeManifest } from "./manifest_node.ts";

/** Bytes of the struct that sb_zones fills in. */
export const ZONES_BYTES = 32;
/** Where its fields lie. The first three are u32, the others u64. */
const MAX_OPEN = 4;
const MAX_ACTIVE = 8;
const MAX_APPEND = 12;
const SIZE = 16;
const CAPACITY = 24;

/** Smallest and largest zone: what Linux makes something of. */
const ZONE_BYTES_MIN = 4096;
const ZONE_BYTES_MAX = 2 ** 40;

const CONDITIONS: ReadonlySet<number> = new Set(Object.values(ZoneCondition));

/** The struct for a plugin to fill in: no zones. */
export function emptyZones(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ZONES_BYTES);
  new DataView(bytes.buffer).setUint32(0, ZONES_BYTES, true);
  return bytes;
}

/** Fields of the struct, in the units that it has. */
export interface ZonesStruct {
  maxOpen: number;
  maxActive: number;
  maxAppend: number;
  zoneSize: bigint;
  zoneCapacity: bigint;
}

/** Writes what zones an export has into the struct at `pointer`. */
export function writeZones(view: DataView, pointer: number, zones: ZonesStruct): void {
  view.setUint32(pointer + MAX_OPEN, zones.maxOpen, true);
  view.setUint32(pointer + MAX_ACTIVE, zones.maxActive, true);
  view.setUint32(pointer + MAX_APPEND, zones.maxAppend, true);
  view.setBigUint64(pointer + SIZE, zones.zoneSize, true);
  view.setBigUint64(pointer + CAPACITY, zones.zoneCapacity, true);
}

/** What a plugin has made of it, for an export of `info`: zones, null for none, or what is wrong with them. */
export function readZones(
  view: DataView,
  pointer: number,
  info: ExportInfo,
): ZoneInfo | null | string {
  const structSize = view.getUint32(pointer, true);
  if (structSize > ZONES_BYTES) {
    return `struct_size is ${structSize}; the host knows ${ZONES_BYTES} bytes`;
  }
  const size = Number(view.getBigUint64(pointer + SIZE, true));
  if (size === 0) return null;
  const block = info.blockSize.minimum;
  if (size < Math.max(block, ZONE_BYTES_MIN) || size > ZONE_BYTES_MAX || !isPowerOfTwo(size)) {
    return `zone_size is ${size}; it must be a power of two, ` +
      `${Math.max(block, ZONE_BYTES_MIN)} to ${ZONE_BYTES_MAX}, or 0`;
  }
  const capacity = Number(view.getBigUint64(pointer + CAPACITY, true)) || size;
  if (capacity > size || capacity % block !== 0) {
    return `zone_capacity is ${capacity}; it must be whole blocks of ${block}, at most ${size}`;
  }
  const maxOpen = view.getUint32(pointer + MAX_OPEN, true);
  const maxActive = view.getUint32(pointer + MAX_ACTIVE, true);
  if (maxActive > 0 && maxOpen > maxActive) {
    return `max_open is ${maxOpen}, more than max_active, ${maxActive}`;
  }
  const most = Math.min(info.blockSize.maximum, capacity);
  const maxAppend = view.getUint32(pointer + MAX_APPEND, true) || most - most % block;
  if (maxAppend > most || maxAppend % block !== 0) {
    return `max_append is ${maxAppend}; it must be whole blocks of ${block}, at most ${most}`;
  }
  const bytes = toNumber(info.sizeHigh, info.sizeLow);
  if (bytes > Number.MAX_SAFE_INTEGER) {
    return "it has 2^53 bytes or more, which with zones it may not";
  }
  if (bytes === 0 || bytes % size !== 0) {
    return `it has ${bytes} bytes, which are no whole zones of ${size}`;
  }
  return { size, capacity, maxOpen, maxActive, maxAppend };
}

/**
 * The zones of a filter whose export is `info` above `children`; null where there are none. Throws BlockError
 * for a filter that does not stand on a zoned device.
 */
export function zonesAbove(
  filter: string,
  { zones }: NodeManifest,
  info: ExportInfo,
  children: readonly ExportInfo[],
): ZoneInfo | null {
  const zoned = children.find((child) => child.zones !== undefined);
  if (zoned === undefined) return null;
  const refuse = (fact: string) => {
    return new BlockError(
      Errno.EINVAL,
      `cannot use the filter "${filter}" above a zoned device: ${fact}`,
    );
  };
  if (zones !== "pass") {
    throw refuse("it does not pass zones on, and writes in another order or place would fail");
  }
  const same = zoned.sizeHigh === info.sizeHigh && zoned.sizeLow === info.sizeLow &&
    zoned.blockSize.minimum === info.blockSize.minimum;
  if (!same) throw refuse("it has another size or smallest block than that");
  return zoned.zones!;
}

/** The errno with which a request about zones is refused before the plugin sees it; 0 where it is not. */
export function refuseZones(info: ExportInfo, zones: ZoneInfo, request: Request): number {
  const { command, offset, length } = request;
  if (command !== ZoneCommand.Report && info.can.write === Support.None) {
    request.errorText = "the export is read-only";
    return Errno.EPERM;
  }
  const text = misplaced(toNumber(info.sizeHigh, info.sizeLow), info, zones, request);
  if (text === "") return 0;
  request.errorText = `${text}, for ${length} bytes at ${offset}`;
  return Errno.EINVAL;
}

function misplaced(bytes: number, info: ExportInfo, zones: ZoneInfo, request: Request): string {
  const { command, offset, length } = request;
  const { size } = zones;
  if (offset % size !== 0) return "there begins no zone";
  if (offset + (command === ZoneCommand.Append ? size : length) > bytes) {
    return "that is not in the export";
  }
  if (command === ZoneCommand.Append) {
    if (length > zones.maxAppend) return `an append has at most ${zones.maxAppend} bytes`;
    return length % info.blockSize.minimum === 0 ? "" : "an append has whole blocks";
  }
  if (command === ZoneCommand.Report) return length % size === 0 ? "" : "these are no whole zones";
  const isAll = command === ZoneCommand.Reset && length === bytes;
  return isAll || length === size ? "" : "that is not one zone";
}

/** What is wrong with a zone of a report, whose start and length are right; "" if nothing is. */
export function zoneFault(
  zones: ZoneInfo,
  block: number,
  start: number,
  capacity: number,
  pointer: number,
  type: number,
  condition: number,
): string {
  if (type < ZoneType.Conventional || type > ZoneType.SequentialPreferred) {
    return `${type} is no type of a zone; they are 1 to 3`;
  }
  if (!CONDITIONS.has(condition)) return `${condition} is no condition of a zone`;
  const isConventional = type === ZoneType.Conventional;
  if (isConventional !== (condition === ZoneCondition.NotWritePointer)) {
    return `a zone of the type ${type} has the condition ${condition}`;
  }
  const most = isConventional ? zones.size : zones.capacity;
  if (capacity < 1 || capacity > most || capacity % block !== 0) {
    return `a zone has the capacity ${capacity}; it must be whole blocks of ${block}, at most ${most}`;
  }
  if (!hasPointer(condition)) return "";
  const written = pointer - start;
  if (written < 0 || written > capacity || written % block !== 0) {
    return `the write pointer ${pointer} is not in the zone, or not at a block`;
  }
  if (condition === ZoneCondition.Empty && written !== 0) {
    return `an empty zone has its write pointer at ${pointer}, not at its start, ${start}`;
  }
  if (condition === ZoneCondition.Closed && written === 0) {
    return "a closed zone has nothing written to it; that is an empty one";
  }
  if (written === capacity) return "the write pointer is at the end of a zone that is not full";
  return "";
}

/** Whether a zone in this condition has a write pointer that means something. */
export function hasPointer(condition: number): boolean {
  return condition >= ZoneCondition.Empty && condition <= ZoneCondition.Closed;
}
