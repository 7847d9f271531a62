// SPDX-License-Identifier: MIT
// Zoned devices (ZBC, ZAC, NVMe ZNS): zones of one size, most of which are only written from their write
// pointer on. Types and conditions have the numbers of Linux (uapi/linux/blkzoned.h).

/**
 * What a request asks for, beyond Command (request.ts): only kernels ask it, and only of exports that have
 * zones. Offset and length are those of whole zones, but for an append.
 */
export const ZoneCommand = {
  /** What the zones are like. */
  Report: 16,
  /** Writes at the write pointer of the zone that begins at the offset. */
  Append: 17,
  Open: 18,
  Close: 19,
  Finish: 20,
  /** Of one zone, or of all. */
  Reset: 21,
} as const;

/** Types of zones. */
export const ZoneType = { Conventional: 1, Sequential: 2, SequentialPreferred: 3 } as const;

/** Conditions of zones. */
export const ZoneCondition = {
  /** A conventional zone: it has no write pointer. */
  NotWritePointer: 0,
  Empty: 1,
  /** Open because it was written to. */
  ImplicitlyOpen: 2,
  /** Open because that was asked for. */
  ExplicitlyOpen: 3,
  Closed: 4,
  ReadOnly: 13,
  Full: 14,
  Offline: 15,
} as const;

/** The zones of an export, in bytes. All have the same size, of which the export has a whole number. */
export interface ZoneInfo {
  /** A power of two. */
  size: number;
  /** The most that a sequential zone takes. */
  capacity: number;
  /** Zones that may be open at a time; 0 for any number. */
  maxOpen: number;
  /** Zones that may be open or closed at a time, neither empty nor full; 0 for any number. */
  maxActive: number;
  /** Largest append. */
  maxAppend: number;
}

/** One zone, as a piece of an answer has it; `state` holds its type and its condition. */
export function zoneState(type: number, condition: number): number {
  return condition << 8 | type;
}

/** The type in a state. */
export function typeOfZone(state: number): number {
  return state & 0xff;
}

/** The condition in a state. */
export function conditionOfZone(state: number): number {
  return state >> 8;
}
