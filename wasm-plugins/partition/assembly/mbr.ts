// SPDX-License-Identifier: MIT
// The table in the master boot record: four partitions, one of which may be an extended one that holds a
// chain of further tables, each with one logical partition and the way to the next.

import { Fault, found, refuse, Step, Table } from "./table";

const ENTRIES: usize = 446;
const SIGNATURE: usize = 510;
/** Type of the only entry of a disk that has a GPT. */
const TYPE_PROTECTIVE: u8 = 0xee;
/** Links of a chain that are followed. */
const LINKS_MAX: i32 = 4096;

function typeOf(pointer: usize, index: i32): u8 {
  return load<u8>(pointer + ENTRIES + <usize>index * 16 + 4);
}

function firstOf(pointer: usize, index: i32): u64 {
  return load<u32>(pointer + ENTRIES + <usize>index * 16 + 8);
}

function countOf(pointer: usize, index: i32): u64 {
  return load<u32>(pointer + ENTRIES + <usize>index * 16 + 12);
}

function isExtended(type: u8): bool {
  return type == 0x05 || type == 0x0f || type == 0x85;
}

/** Whether a boot record begins at `pointer`. */
export function isBootRecord(pointer: usize): bool {
  return load<u16>(pointer + SIGNATURE) == 0xaa55;
}

/** Whether the record only says that there is a GPT. */
export function isProtective(pointer: usize): bool {
  for (let index = 0; index < 4; index++) {
    if (typeOf(pointer, index) == TYPE_PROTECTIVE) return true;
  }
  return false;
}

/** Finds partition `wanted` in the record at `pointer`, or the chain in which it is. */
export function findPrimary(table: Table, pointer: usize, wanted: i32): void {
  if (wanted > 4) return findChain(table, pointer);
  const type = typeOf(pointer, wanted - 1);
  const count = countOf(pointer, wanted - 1);
  if (!type || !count) return refuse(table, Fault.NoPartition);
  if (isExtended(type)) return refuse(table, Fault.Extended);
  found(table, firstOf(pointer, wanted - 1), count);
}

function findChain(table: Table, pointer: usize): void {
  for (let index = 0; index < 4; index++) {
    if (!isExtended(typeOf(pointer, index)) || !countOf(pointer, index)) continue;
    table.extendedStart = firstOf(pointer, index);
    table.extendedSize = countOf(pointer, index);
    table.link = table.extendedStart;
    table.logical = 4;
    table.step = Step.Chain;
    return;
  }
  refuse(table, Fault.NoPartition);
}

/** Looks at a link of the chain, which lies at `pointer`: the partition, or where the next one is. */
export function followChain(table: Table, pointer: usize, wanted: i32): void {
  if (!isBootRecord(pointer)) return refuse(table, Fault.Chain);
  const end = table.extendedStart + table.extendedSize;
  const count = countOf(pointer, 0);
  if (typeOf(pointer, 0) && count && ++table.logical == wanted) {
    const first = table.link + firstOf(pointer, 0);
    return first + count > end ? refuse(table, Fault.Outside) : found(table, first, count);
  }
  if (!isExtended(typeOf(pointer, 1)) || !countOf(pointer, 1)) return refuse(table, Fault.NoPartition);
  const next = table.extendedStart + firstOf(pointer, 1);
  // Links only lead on, so that a chain ends.
  if (next <= table.link || next >= end || table.logical > LINKS_MAX) return refuse(table, Fault.Chain);
  table.link = next;
}
