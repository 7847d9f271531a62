// SPDX-License-Identifier: MIT
// Values of the WIT package about zones (wasm-plugins/abi/wit) as jco gives them, and their numbers in the
// core form.

import { ZoneCondition, ZoneType } from "../../block/zones.ts";

/** Record `zones`. */
export interface ZonesRecord {
  maxOpen: number;
  maxActive: number;
  maxAppend: number;
  zoneSize: bigint;
  zoneCapacity: bigint;
}

const TYPES = {
  "conventional": ZoneType.Conventional,
  "sequential": ZoneType.Sequential,
  "sequential-preferred": ZoneType.SequentialPreferred,
} as const;

const CONDITIONS = {
  "not-write-pointer": ZoneCondition.NotWritePointer,
  "empty": ZoneCondition.Empty,
  "implicitly-open": ZoneCondition.ImplicitlyOpen,
  "explicitly-open": ZoneCondition.ExplicitlyOpen,
  "closed": ZoneCondition.Closed,
  "read-only": ZoneCondition.ReadOnly,
  "full": ZoneCondition.Full,
  "offline": ZoneCondition.Offline,
} as const;

/** Record `zone`. */
export interface ZoneRecord {
  start: bigint;
  length: bigint;
  capacity: bigint;
  pointer: bigint;
  type: keyof typeof TYPES;
  condition: keyof typeof CONDITIONS;
}

/** The number of an enum `zone-type`. */
export function zoneTypeNumber(type: ZoneRecord["type"]): number {
  return TYPES[type];
}

/** The number of an enum `zone-condition`. */
export function zoneConditionNumber(condition: ZoneRecord["condition"]): number {
  return CONDITIONS[condition];
}
