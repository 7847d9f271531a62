// SPDX-License-Identifier: MIT
// The GUID partition table (UEFI 2.10, 5.3): a header with a checksum, entries with another, and a second
// one of each at the end of the disk.

import { crc32 } from "./crc32";
import { Fault, found, refuse, Table } from "./table";

/** "EFI PART" */
const SIGNATURE: u64 = 0x5452415020494645;
const HEADER_BYTES: u32 = 92;
const ENTRY_BYTES_MIN: u32 = 128;
/** Entries that are read at most, in bytes. */
export const ENTRIES_BYTES_MAX: u64 = 1 << 20;

/** Whether a header begins at `pointer`. */
export function isHeader(pointer: usize): bool {
  return load<u64>(pointer) == SIGNATURE;
}

/**
 * Takes what the header at `pointer`, which has to be the one of sector `lba`, says about its entries.
 * Returns where they begin, as a sector; 0 for a header that cannot be used.
 */
export function readHeader(table: Table, pointer: usize, lba: u64): u64 {
  if (!isHeader(pointer)) return 0;
  const bytes = load<u32>(pointer + 12);
  if (bytes < HEADER_BYTES || bytes > table.sector) return 0;
  const crc = load<u32>(pointer + 16);
  store<u32>(pointer + 16, 0);
  const right = crc32(0, pointer, bytes) == crc;
  store<u32>(pointer + 16, crc);
  if (!right || load<u64>(pointer + 24) != lba) return 0;
  const entries = load<u64>(pointer + 72);
  table.entryCount = load<u32>(pointer + 80);
  table.entryBytes = load<u32>(pointer + 84);
  table.entriesCrc = load<u32>(pointer + 88);
  if (table.entryBytes < ENTRY_BYTES_MIN || popcnt(table.entryBytes) != 1) return 0;
  const length = <u64>table.entryCount * table.entryBytes;
  const sectors = table.diskSize / table.sector;
  if (!length || length > ENTRIES_BYTES_MAX || entries < 2 || entries >= sectors) return 0;
  return length <= (sectors - entries) * table.sector ? entries : 0;
}

/** Whether the entries at `pointer` are those that the header is about. */
export function areEntries(table: Table, pointer: usize): bool {
  return crc32(0, pointer, <usize>table.entryCount * table.entryBytes) == table.entriesCrc;
}

/** Finds the partition `wanted` among the entries. */
export function findEntry(table: Table, pointer: usize, wanted: i32): void {
  if (<u32>wanted > table.entryCount) return refuse(table, Fault.NoPartition);
  const entry = pointer + <usize>(wanted - 1) * table.entryBytes;
  if (!load<u64>(entry) && !load<u64>(entry + 8)) return refuse(table, Fault.NoPartition);
  const first = load<u64>(entry + 32);
  const last = load<u64>(entry + 40);
  if (last < first || last == u64.MAX_VALUE) return refuse(table, Fault.Outside);
  found(table, first, last - first + 1);
}
