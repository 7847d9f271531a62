// SPDX-License-Identifier: MIT
// Zoned devices (wasm-plugins/abi/README.md, section 20): what `sb_zones` fills in, and the answers to
// `sb_zone_report` and `sb_zone_append`. Since plugin ABI 3.2.

/** Types of zones. */
export const enum ZoneType {
  Conventional = 1,
  Sequential = 2,
  SequentialPreferred = 3,
}

/** Conditions of zones. */
export const enum ZoneCondition {
  /** A conventional zone: it has no write pointer. */
  NotWritePointer = 0,
  Empty = 1,
  ImplicitlyOpen = 2,
  ExplicitlyOpen = 3,
  Closed = 4,
  ReadOnly = 13,
  Full = 14,
  Offline = 15,
}

/** `sb_zones` fills this in: `changetype<Zones>(out)`. As it is when it comes, there are no zones. */
@unmanaged
export class Zones {
  /** Bytes that the host reads. */
  structSize: u32;
  /** Zones that may be open at a time; 0 for any number. */
  maxOpen: u32;
  /** Zones that may be open or closed at a time; 0 for any number. */
  maxActive: u32;
  /** Largest append in bytes; 0 for the largest write. */
  maxAppend: u32;
  /** Bytes of each zone, a power of two; 0 for no zones. */
  zoneSize: u64;
  /** The most that a sequential zone takes; 0 for all of it. */
  zoneCapacity: u64;
}

/** Adds a zone to a report; the first begins where the request does, each where the one before ended. */
// @ts-ignore: decorator
@external("sandblock:v3", "zone")
export declare function reportZone(
  request: i32,
  start: u64,
  length: u64,
  capacity: u64,
  pointer: u64,
  type: i32,
  condition: i32,
): void;

/** Says where in the export an append has written. */
// @ts-ignore: decorator
@external("sandblock:v3", "zone_appended")
export declare function zoneAppended(request: i32, offset: u64): void;
