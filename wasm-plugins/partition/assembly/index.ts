// SPDX-License-Identifier: MIT
// One partition of a disk (README.md beside this folder). The table is read each time an export is opened,
// before its size can be told; requests are then passed on with another offset.

import {
  alloc,
  begin,
  closeHandle,
  contextOf,
  end,
  Errno,
  free,
  infoOf,
  logLine,
  LogLevel,
  nextPread,
  nextSize,
  openHandle,
  pass,
  PENDING,
  say,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { areEntries, findEntry, isHeader, readHeader } from "./gpt";
import { findPrimary, followChain, isBootRecord, isProtective } from "./mbr";
import { Fault, refuse, sayFault, Step, Table } from "./table";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Both places where a header of a GPT may be: behind the first sector of either size. */
const START_BYTES: u64 = 8192;
const SECTOR_MIN: u32 = 512;
const SECTOR_MAX: u32 = 4096;

let wanted: i32 = 1;
/** Bytes of a sector; 0: to be found out. */
let sectorBytes: u32 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) wanted = <i32>value;
  else sectorBytes = value == 1 ? SECTOR_MIN : value == 2 ? SECTOR_MAX : 0;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const table = begin<Table>(haveRead);
  if (!table) return -Errno.ENOMEM;
  const handle = openHandle(<u32>token(table));
  if (handle < 0) {
    end(table);
    return -Errno.ENOMEM;
  }
  table.handle = handle;
  return handle;
}

export function sb_close(handle: i32): void {
  const table = taskOf<Table>(contextOf(handle));
  closeHandle(handle);
  // What is still being read comes back to it.
  if (table.step == Step.Nothing || table.step == Step.Done) drop(table);
  else table.closed = 1;
}

function drop(table: Table): void {
  dropBuffer(table);
  end(table);
}

function dropBuffer(table: Table): void {
  if (table.buffer) free(table.buffer, table.bufferBytes);
  table.buffer = 0;
}

export function sb_size(handle: i32): i64 {
  const table = taskOf<Table>(contextOf(handle));
  if (table.step == Step.Nothing) {
    table.diskSize = nextSize(handle, 0);
    table.sector = sectorBytes ? sectorBytes : SECTOR_MIN;
    if (table.diskSize < SECTOR_MIN) refuse(table, Fault.TooSmall);
    else run(table, read(table, Step.Start, 0, min(START_BYTES, table.diskSize)));
  }
  if (table.step != Step.Done) return -Errno.EAGAIN;
  dropBuffer(table);
  checkAlignment(table);
  return table.fault ? -sayFault(table, wanted) : table.size;
}

function checkAlignment(table: Table): void {
  const block = infoOf(table.handle, 0).blockMinimum;
  if (!table.fault && (table.start | table.size) & (block - 1)) table.fault = Fault.Alignment;
}

/** Reads what `step` goes on with, in whole blocks of the device. Returns what nextPread does. */
function read(table: Table, step: i32, offset: u64, count: u64): i32 {
  table.step = step;
  dropBuffer(table);
  const block = <u64>infoOf(table.handle, 0).blockMinimum;
  const start = offset & ~(block - 1);
  const stop = min((offset + count + block - 1) & ~(block - 1), table.diskSize);
  // A short disk ends within what is looked at; there are zeroes behind it.
  table.bufferBytes = <usize>(max(stop, offset + START_BYTES) - start);
  table.buffer = alloc(table.bufferBytes, 16);
  if (!table.buffer) {
    refuse(table, Fault.Memory);
    return 0;
  }
  memory.fill(table.buffer, 0, table.bufferBytes);
  table.data = table.buffer + <usize>(offset - start);
  return nextPread(table.handle, 0, table.buffer, stop - start, start, 0, token(table));
}

function haveRead(token: i32, result: i32): void {
  const table = taskOf<Table>(token);
  if (table.closed) drop(table);
  else run(table, result);
}

/** Goes on with the table until something has to be waited for, or all is known. */
function run(table: Table, status: i32): void {
  while (status != PENDING && table.step != Step.Done) {
    if (status) {
      table.errno = status;
      return refuse(table, Fault.Read);
    }
    switch (table.step) {
      case Step.Start:
        status = lookAtStart(table);
        break;
      case Step.Entries:
        status = lookAtEntries(table);
        break;
      case Step.Backup:
        status = lookAtBackup(table);
        break;
      default:
        followChain(table, table.data, wanted);
        status = readLink(table);
    }
  }
}

function lastSector(table: Table): u64 {
  return table.diskSize / table.sector - 1;
}

function lookAtStart(table: Table): i32 {
  const record = table.data;
  let has = isHeader(record + table.sector);
  if (!has && !sectorBytes && isHeader(record + SECTOR_MAX)) {
    table.sector = SECTOR_MAX;
    has = true;
  }
  const protects = isBootRecord(record) && isProtective(record);
  if (has && (protects || !isBootRecord(record) || !hasPrimary(record))) {
    return lookAtHeader(table, record + table.sector, 1);
  }
  if (protects) return readBackup(table);
  if (!isBootRecord(record)) refuse(table, Fault.NoTable);
  else findPrimary(table, record, wanted);
  return readLink(table);
}

/** Whether the boot record has partitions of its own: then an old header behind it means nothing. */
function hasPrimary(record: usize): bool {
  for (let index: usize = 0; index < 4; index++) {
    if (load<u8>(record + 446 + index * 16 + 4)) return true;
  }
  return false;
}

function readLink(table: Table): i32 {
  if (table.step != Step.Chain) return 0;
  if (table.link >= table.diskSize / table.sector) {
    refuse(table, Fault.Chain);
    return 0;
  }
  return read(table, Step.Chain, table.link * table.sector, SECTOR_MIN);
}

/** Reads the entries of a header that can be used, or else tries the other one. */
function lookAtHeader(table: Table, header: usize, lba: u64): i32 {
  const entries = readHeader(table, header, lba);
  if (!entries) return readBackup(table);
  const length = <u64>table.entryCount * table.entryBytes;
  return read(table, Step.Entries, entries * table.sector, length);
}

/** Where the header in front is lost, nothing says how large sectors are. */
function lookAtBackup(table: Table): i32 {
  if (sectorBytes || table.sector == SECTOR_MAX || isHeader(table.data)) {
    return lookAtHeader(table, table.data, lastSector(table));
  }
  table.sector = SECTOR_MAX;
  table.isBackup = 0;
  return readBackup(table);
}

function lookAtEntries(table: Table): i32 {
  if (!areEntries(table, table.data)) return readBackup(table);
  if (table.isBackup) {
    say("the partition table in front is damaged; the one at the end of the device is used");
    logLine(LogLevel.Warning);
  }
  findEntry(table, table.data, wanted);
  return 0;
}

/** Goes to the header at the end of the disk, unless that was it. */
function readBackup(table: Table): i32 {
  if (!table.isBackup && lastSector(table) > 1) {
    table.isBackup = 1;
    return read(table, Step.Backup, lastSector(table) * table.sector, table.sector);
  }
  refuse(table, Fault.Gpt);
  return 0;
}

/** Where in the disk a request goes. */
// @ts-ignore: decorator
@inline
function startOf(handle: i32): u64 {
  return taskOf<Table>(contextOf(handle)).start;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset + startOf(handle), flags);
}
