// SPDX-License-Identifier: MIT
// What is being found out about the table of partitions of one disk, and what may be wrong with it.

import {
  Errno,
  fail,
  say,
  sayNumber,
  Task,
} from "../../sdk/assemblyscript/assembly";

/** What is wrong; 0 is nothing. */
export const enum Fault {
  None = 0,
  Read = 1,
  Memory = 2,
  TooSmall = 3,
  NoTable = 4,
  NoPartition = 5,
  Extended = 6,
  Outside = 7,
  Chain = 8,
  Gpt = 9,
  Alignment = 10,
}

/** What the reading of a table waits for. */
export const enum Step {
  Nothing = 0,
  Start = 1,
  Entries = 2,
  Backup = 3,
  Chain = 4,
  Done = 5,
}

/** The table of one open disk, as far as it is known. */
@unmanaged
export class Table extends Task {
  handle: i32;
  step: i32;
  fault: i32;
  errno: i32;
  /** The export was closed meanwhile. */
  closed: i32;
  /** Bytes of a sector. */
  sector: u32;
  /** Size of the disk in bytes. */
  diskSize: u64;
  /** The partition, in bytes. */
  start: u64;
  size: u64;
  /** Memory for what was read, and where in it that is which was asked for. */
  buffer: usize;
  bufferBytes: usize;
  data: usize;
  /** GPT: where the header at hand lies (0: in front), and what it says about its entries. */
  isBackup: i32;
  entryBytes: u32;
  entryCount: u32;
  entriesCrc: u32;
  /** MBR: the extended partition, and the part of the chain at hand, in sectors. */
  extendedStart: u64;
  extendedSize: u64;
  link: u64;
  logical: i32;
}

/** Remembers what is wrong. */
export function refuse(table: Table, fault: i32): void {
  table.fault = fault;
  table.step = Step.Done;
}

/** Remembers which sectors the partition has, after a look at whether the disk has them. */
export function found(table: Table, first: u64, count: u64): void {
  const sectors = table.diskSize / table.sector;
  if (first > sectors || count > sectors - first) return refuse(table, Fault.Outside);
  table.start = first * table.sector;
  table.size = count * table.sector;
  table.step = Step.Done;
}

/** Says what is wrong with the table, for partition `wanted`. Returns an errno. */
export function sayFault(table: Table, wanted: i32): i32 {
  say("cannot serve partition ");
  sayNumber(wanted);
  say(": ");
  switch (table.fault) {
    case Fault.Read:
      say("the table of partitions cannot be read");
      return fail(table.errno);
    case Fault.Memory:
      say("there is no memory for the table of partitions");
      return fail(Errno.ENOMEM);
    case Fault.TooSmall:
      say("the device is too small for a table of partitions");
      break;
    case Fault.NoTable:
      say("the device has no table of partitions");
      break;
    case Fault.NoPartition:
      say("there is no such partition");
      return fail(Errno.ENOENT);
    case Fault.Extended:
      say("it is an extended one; what is in it has numbers from 5 on");
      break;
    case Fault.Outside:
      say("it reaches beyond the end of the device");
      break;
    case Fault.Chain:
      say("the chain of logical partitions is broken");
      break;
    case Fault.Gpt:
      say("both headers of the GPT, or their entries, are damaged");
      break;
    default:
      say("it does not consist of whole blocks of the device; put the filter blocksize below this one");
  }
  return fail(Errno.EINVAL);
}
