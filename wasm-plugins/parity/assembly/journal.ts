// SPDX-License-Identifier: MIT
// The journal (README.md, "The journal"): what a write is going to put where, before it does. A ring of
// records on two devices that are in order; the records that wait are written and flushed together.

import { alloc, nextCount, nextFlush, nextPwrite } from "../../sdk/assemblyscript/assembly";
import { xxh64 } from "./bytes";
import { absent, canFlush, isWritten, loseDevices, own, Phase, phase } from "./devices";
import { closeGroup, Group, openGroup, tokenFor, track } from "./group";
import { JOURNAL_START, journalBytes } from "./layout";
import { pump, Work } from "./rows";
import { id, id2, save, setTail } from "./superblock";
import { failWrite, putInPlace } from "./writes";

export const RECORD_MAGIC: u64 = 0x314c4e524a504253; // "SBPJRNL1"
/** Bytes of the head of a record, which fills its first block; records are whole blocks. */
export const BLOCK: u64 = 4096;

@unmanaged
export class Record {
  magic: u64;
  /** XXH64 of the whole record with 0 in this place. */
  hash: u64;
  id: u64;
  id2: u64;
  sequence: u64;
  row: u64;
  /** Bytes of the row's data that follow behind the head. */
  from: u64;
  to: u64;
  /** The part of the parity chunk that follows at `parityAt`; empty where there is none. */
  low: u64;
  high: u64;
  parityAt: u64;
  /** Blocks of the record. */
  blocks: u64;
}

/** A record that may have to be repeated. */
@unmanaged
class Entry {
  position: u64;
  sequence: u64;
  /** Bytes that are free again without it, those skipped at the end of the ring included. */
  bytes: u64;
  done: bool;
}

/** Entries in a ring of their own; no record is shorter than two blocks. */
let entries: usize = 0;
let entryCount: u64 = 0;
let entryFirst: u64 = 0;
let entryEnd: u64 = 0;

let head: u64 = 0;
let sequence: u64 = 0;
let used: u64 = 0;

const group = changetype<Group>(memory.data(32, 16));
const checkpointGroup = changetype<Group>(memory.data(32, 16));
let waitingFirst: usize = 0;
let waitingLast: usize = 0;
/** The records that are being written, and the devices that they are written to. */
let batch: usize = 0;
let copies: u32 = 0;
let checkpointing = false;
let finishing = false;
/** The entry that the checkpoint under way goes up to. */
let checkpointEnd: u64 = 0;

/** Begins an empty journal at `position` with `number`. False where there is no memory. */
export function startJournal(position: u64, number: u64): bool {
  entryCount = journalBytes / (2 * BLOCK) + 1;
  entries = alloc(<usize>entryCount * offsetof<Entry>(), 8);
  head = position;
  sequence = number;
  setTail(head, sequence);
  return entries != 0;
}

// @ts-ignore: decorator
@inline
function entryAt(index: u64): Entry {
  return changetype<Entry>(entries + <usize>(index % entryCount) * offsetof<Entry>());
}

/** Has the record of `work` written by the next `commit`. */
export function enqueue(work: Work): void {
  work.nextInJournal = 0;
  if (waitingLast) changetype<Work>(waitingLast).nextInJournal = changetype<usize>(work);
  else waitingFirst = changetype<usize>(work);
  waitingLast = changetype<usize>(work);
}

/** Writes the records that wait, as many as there is room for, unless some are being written. */
export function commit(): void {
  if (batch || !waitingFirst) return;
  if (phase == Phase.Failed) return failWaiting();
  batch = waitingFirst;
  let end: usize = 0;
  for (let at = waitingFirst; at && place(changetype<Work>(at)); at = changetype<Work>(at).nextInJournal) {
    end = at;
  }
  if (!end) {
    batch = 0;
    return checkpoint();
  }
  waitingFirst = changetype<Work>(end).nextInJournal;
  if (!waitingFirst) waitingLast = 0;
  changetype<Work>(end).nextInJournal = 0;
  copies = twoInOrder();
  openGroup(group, flushBatch);
  for (let at = batch; at; at = changetype<Work>(at).nextInJournal) writeRecord(changetype<Work>(at));
  closeGroup(group);
}

function failWaiting(): void {
  while (waitingFirst) {
    const work = changetype<Work>(waitingFirst);
    waitingFirst = work.nextInJournal;
    failWrite(work);
  }
  waitingLast = 0;
}

function twoInOrder(): u32 {
  let mask: u32 = 0;
  for (let device = 0; device < nextCount() && popcnt(mask) < 2; device++) {
    if (device != absent) mask |= 1 << device;
  }
  return mask;
}

/** Finds room for a record. False where there is none. */
function place(work: Work): bool {
  const length = <u64>work.recordBytes;
  const wraps = head + length > journalBytes;
  const skipped = wraps ? journalBytes - head : 0;
  if (used + skipped + length > journalBytes) return false;
  const position = wraps ? 0 : head;
  const entry = entryAt(entryEnd);
  entry.position = position;
  entry.sequence = sequence++;
  entry.bytes = skipped + length;
  entry.done = false;
  work.entry = entryEnd++;
  head = position + length;
  used += entry.bytes;
  return true;
}

function writeRecord(work: Work): void {
  const entry = entryAt(work.entry);
  const record = changetype<Record>(work.buffer);
  record.magic = RECORD_MAGIC;
  record.blocks = <u64>work.recordBytes / BLOCK;
  record.id = id;
  record.id2 = id2;
  record.sequence = entry.sequence;
  record.hash = 0;
  record.hash = xxh64(work.buffer, work.recordBytes);
  const at = JOURNAL_START + entry.position;
  for (let device = 0; device < nextCount(); device++) {
    if (!(copies & (1 << device))) continue;
    const token = tokenFor(group, device);
    track(group, device, nextPwrite(own, device, work.buffer, work.recordBytes, at, 0, token));
  }
}

function flushBatch(pointer: usize): void {
  const failed = group.failed;
  if (failed) loseDevices(failed, group.errno, "writing the journal");
  openGroup(group, batchDone);
  for (let device = 0; device < nextCount(); device++) {
    if (!(copies & ~failed & (1 << device)) || !canFlush(device)) continue;
    track(group, device, nextFlush(own, device, 0, tokenFor(group, device)));
  }
  closeGroup(group);
}

/** The records are safe: what they say can be put in its place. */
function batchDone(pointer: usize): void {
  if (group.failed) loseDevices(group.failed, group.errno, "flushing the journal");
  let at = batch;
  batch = 0;
  while (at) {
    const work = changetype<Work>(at);
    at = work.nextInJournal;
    if (phase == Phase.Failed) failWrite(work);
    else putInPlace(work);
  }
  pump();
}

/** What the record says is in its place. */
export function isDone(index: u64): void {
  entryAt(index).done = true;
  if (used > journalBytes / 2) checkpoint();
}

/** Makes safe what is in its place, so that its records are not needed any more. */
export function checkpoint(): void {
  if (checkpointing || phase != Phase.Running) return;
  checkpointEnd = entryFirst;
  while (checkpointEnd < entryEnd && entryAt(checkpointEnd).done) checkpointEnd++;
  if (checkpointEnd == entryFirst) return;
  checkpointing = true;
  openGroup(checkpointGroup, flushed);
  for (let device = 0; device < nextCount(); device++) {
    if (!isWritten(device) || !canFlush(device)) continue;
    track(checkpointGroup, device, nextFlush(own, device, 0, tokenFor(checkpointGroup, device)));
  }
  closeGroup(checkpointGroup);
}

function flushed(pointer: usize): void {
  // What one device has not kept can be made out of the others.
  if (checkpointGroup.failed) loseDevices(checkpointGroup.failed, checkpointGroup.errno, "a flush");
  if (checkpointEnd < entryEnd) {
    setTail(entryAt(checkpointEnd).position, entryAt(checkpointEnd).sequence);
  } else setTail(head, sequence);
  save();
}

/** Superblocks are written that say that the journal begins with `tail`. */
export function journalSaved(tail: u64): void {
  if (!checkpointing) return;
  while (entryFirst < checkpointEnd && entryAt(entryFirst).sequence < tail) {
    used -= entryAt(entryFirst).bytes;
    entryFirst++;
  }
  if (entryFirst < checkpointEnd) return;
  checkpointing = false;
  pump();
  if (finishing) checkpoint();
}

/** Leaves nothing in the journal that has to be repeated. */
export function finishJournal(): void {
  finishing = true;
  checkpoint();
}
