// SPDX-License-Identifier: MIT
// What each device says about itself and the array (README.md, "On the devices"). Two copies are written
// in turn, so that one is whole at any time.

import { alloc, nextCount, nextFlush, nextPwrite } from "../../sdk/assemblyscript/assembly";
import { crc32c } from "./bytes";
import { absent, canFlush, durable, isWritten, loseDevices, own, Phase, phase, rebuilding } from "./devices";
import { closeGroup, Group, openGroup, tokenFor, track } from "./group";
import { journalSaved } from "./journal";
import { loadSaved } from "./load";
import { chunk, journalBytes, rows, SUPERBLOCK_BYTES } from "./layout";
import { writesSaved } from "./writes";

export const MAGIC: u64 = 0x5954495241504253; // "SBPARITY"
export const VERSION: u32 = 1;
export const NOBODY: u32 = 0xffffffff;

/** Little-endian, without gaps; the rest of its block is zero. */
@unmanaged
export class Superblock {
  magic: u64;
  version: u32;
  /** CRC-32C of the block with 0 in this place. */
  crc: u32;
  id: u64;
  id2: u64;
  devices: u32;
  /** Which of them this is. */
  index: u32;
  chunk: u64;
  journal: u64;
  rows: u64;
  /** The one with the highest number tells the state of the array. */
  generation: u64;
  absent: u32;
  rebuilding: u32;
  /** Rows of the absent device that are rebuilt. */
  rebuilt: u64;
  /** Where the journal begins that has to be repeated, and with which number. */
  tail: u64;
  tailSequence: u64;
}

export let id: u64 = 0;
export let id2: u64 = 0;
export let generation: u64 = 0;
let tail: u64 = 0;
let tailSequence: u64 = 0;

const group = changetype<Group>(memory.data(32, 16));
/** A block for each device. */
let blocks: usize = 0;
/** Devices that are being written. */
let written: u32 = 0;
export let saving = false;
let again = false;
/** The tail that is being written. */
let writtenTail: u64 = 0;

export function setIdentity(first: u64, second: u64, number: u64): void {
  id = first;
  id2 = second;
  generation = number;
}

export function setTail(position: u64, sequence: u64): void {
  tail = position;
  tailSequence = sequence;
}

/** The one at `pointer`; null where there is none that is whole. */
export function superblockAt(pointer: usize): Superblock | null {
  const block = changetype<Superblock>(pointer);
  if (block.magic != MAGIC || block.version != VERSION) return null;
  const crc = block.crc;
  block.crc = 0;
  const right = crc32c(pointer, <usize>SUPERBLOCK_BYTES) == crc;
  block.crc = crc;
  return right ? block : null;
}

/** Memory for what is written; false where there is none. */
export function prepareSuperblocks(): bool {
  blocks = alloc(<usize>SUPERBLOCK_BYTES * 16, 4096);
  return blocks != 0;
}

function fill(pointer: usize, index: i32): void {
  memory.fill(pointer, 0, <usize>SUPERBLOCK_BYTES);
  const block = changetype<Superblock>(pointer);
  block.magic = MAGIC;
  block.version = VERSION;
  block.id = id;
  block.id2 = id2;
  block.devices = nextCount();
  block.index = index;
  block.chunk = chunk;
  block.journal = journalBytes;
  block.rows = rows;
  block.generation = generation;
  block.absent = absent < 0 ? NOBODY : absent;
  block.rebuilding = rebuilding ? 1 : 0;
  block.rebuilt = durable;
  block.tail = tail;
  block.tailSequence = tailSequence;
  block.crc = crc32c(pointer, <usize>SUPERBLOCK_BYTES);
}

/** Stores the state of the array, once more when it changes meanwhile. */
export function save(): void {
  again = true;
  if (!saving) write();
}

function write(): void {
  again = false;
  saving = true;
  generation++;
  written = 0;
  writtenTail = tailSequence;
  openGroup(group, flush);
  for (let device = 0; device < nextCount(); device++) {
    if (!isWritten(device)) continue;
    written |= 1 << device;
    const pointer = blocks + <usize>device * <usize>SUPERBLOCK_BYTES;
    fill(pointer, device);
    const at = (generation & 1) * SUPERBLOCK_BYTES;
    track(group, device, nextPwrite(own, device, pointer, SUPERBLOCK_BYTES, at, 0, tokenFor(group, device)));
  }
  closeGroup(group);
}

function flush(pointer: usize): void {
  const failed = group.failed;
  if (failed) loseDevices(failed, group.errno, "writing a superblock");
  openGroup(group, saved);
  for (let device = 0; device < nextCount(); device++) {
    if (!(written & ~failed & (1 << device)) || !canFlush(device)) continue;
    track(group, device, nextFlush(own, device, 0, tokenFor(group, device)));
  }
  closeGroup(group);
}

function saved(pointer: usize): void {
  if (group.failed) loseDevices(group.failed, group.errno, "flushing a superblock");
  // What was lost meanwhile has to be known before anything is said to be safe.
  if (again && phase != Phase.Failed) return write();
  saving = false;
  loadSaved();
  journalSaved(writtenTail);
  writesSaved();
}
