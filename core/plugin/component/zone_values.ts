// SPDX-License-Identifier: MIT
// Values of the WIT package about zones (wasm-plugins/abi/wit) as jco gives them, and their numbers in the
// core form.

import { ZoneCondition, ZoneType } from "../../block/zones.ts";

const TYPES: ReadonlyMap<string, number> = new Map([
  ["conventional", ZoneType.Conventional],
  ["sequential", ZoneType.Sequential],
  ["sequential-preferred", ZoneType.SequentialPreferred],
]);

const CONDITIONS: ReadonlyMap<string, number> = new Map([
  ["not-write-pointer", ZoneCondition.NotWritePointer],
  ["empty", ZoneCondition.Empty],
  ["implicitly-open", ZoneCondition.ImplicitlyOpen],
  ["explicitly-open", ZoneCondition.ExplicitlyOpen],
  ["closed", ZoneCondition.Closed],
  ["read-only", ZoneCondition.ReadOnly],
  ["full", ZoneCondition.Full],
  ["offline", ZoneCondition.Offline],
]);

/** Record `zone`. */
export interface ZoneRecord {
  start: bigint;
  length: bigint;
  capacity: bigint;
  pointer: bigint;
  type: string;
  condition: string;
}

/** The number of an enum `zone-type`; 0, which is none, for a word that only the component has. */
export function zoneTypeNumber(type: string): number {
  return TYPES.get(type) ?? 0;
}

/** The number of an enum `zone-condition`; -1, which is none, for a word that only the component has. */
export function zoneConditionNumber(condition: string): number {
  return CONDITIONS.get(condition) ?? -1;
}
