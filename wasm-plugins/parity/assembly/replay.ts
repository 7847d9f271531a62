// SPDX-License-Identifier: MIT
// Repeats the journal: every record from the tail on whose number follows on the one before puts its bytes in
// their place once more. It ends where no device has the next record as a whole.

import {
  alloc,
  free,
  logLine,
  LogLevel,
  nextCount,
  nextFlush,
  nextPread,
  nextPwrite,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";
import { xxh64 } from "./bytes";
import { absent, canFlush, isUsable, isWritten, loseDevices, own, Phase, phase, tellReplayed } from "./devices";
import { closeGroup, Group, openGroup, tokenFor, track } from "./group";
import { BLOCK, Record, RECORD_MAGIC, startJournal } from "./journal";
import {
  chunk,
  dataCount,
  deviceOf,
  JOURNAL_START,
  journalBytes,
  offsetOf,
  parityOf,
  rowBytes,
  rows,
} from "./layout";
import { recordBytesMax } from "./load";
import { Problem, setProblem } from "./problem";
import { id, id2, save } from "./superblock";

/** New records get numbers so far from old ones that none of these is ever taken for one of them. */
const SEQUENCE_STEP: u64 = 1 << 20;

const group = changetype<Group>(memory.data(32, 16));
let buffer: usize = 0;
let position: u64 = 0;
let sequence: u64 = 0;
let wrapped = false;
/** The device whose copy is looked at. */
let source: i32 = 0;
let replayed: i64 = 0;

/** Where the next step is taken, so that thousands of them do not nest. */
let step: u32 = 0;
let stepping = false;

function go(next: () => void): void {
  step = next.index;
  if (stepping) return;
  stepping = true;
  while (step) {
    const index = step;
    step = 0;
    call_indirect(index);
  }
  stepping = false;
}

/** Begins at `tail`, where the record with this number is expected. */
export function replay(tail: u64, number: u64): void {
  position = tail;
  sequence = number;
  buffer = alloc(<usize>recordBytesMax(chunk), 4096);
  if (!buffer) return setProblem(Problem.Memory);
  begin();
}

function begin(): void {
  source = -1;
  go(nextCopy);
}

/** Looks at the next device's copy of the record; at the start of the ring when none has it here. */
function nextCopy(): void {
  do source++; while (source < nextCount() && source == absent);
  if (source == nextCount() || position + BLOCK > journalBytes) {
    if (wrapped || !position) return finish();
    wrapped = true;
    position = 0;
    return begin();
  }
  openGroup(group, haveHead);
  track(
    group,
    source,
    nextPread(own, source, buffer, BLOCK, JOURNAL_START + position, 0, tokenFor(group, source)),
  );
  closeGroup(group);
}

function recordBytes(): u64 {
  return min<u64>(changetype<Record>(buffer).blocks, 1 << 20) * BLOCK;
}

function haveHead(pointer: usize): void {
  const record = changetype<Record>(buffer);
  const right = !group.failed && record.magic == RECORD_MAGIC && record.sequence == sequence &&
    record.id == id && record.id2 == id2 && recordBytes() > BLOCK &&
    recordBytes() <= recordBytesMax(chunk) && position + recordBytes() <= journalBytes;
  if (!right) return go(nextCopy);
  openGroup(group, haveRecord);
  const at = JOURNAL_START + position;
  const token = tokenFor(group, source);
  track(group, source, nextPread(own, source, buffer, recordBytes(), at, 0, token));
  closeGroup(group);
}

function haveRecord(pointer: usize): void {
  const record = changetype<Record>(buffer);
  const hash = record.hash;
  record.hash = 0;
  if (group.failed || xxh64(buffer, <usize>recordBytes()) != hash || !isSound(record)) return go(nextCopy);
  go(apply);
}

function isSound(record: Record): bool {
  return record.row < rows && record.from < record.to && record.to <= rowBytes() &&
    record.low <= record.high && record.high <= chunk && record.to - record.from <= recordBytes() - BLOCK &&
    record.parityAt <= recordBytes() && record.high - record.low <= recordBytes() - record.parityAt;
}

/** Puts data and parity where they belong. */
function apply(): void {
  const record = changetype<Record>(buffer);
  const row = record.row;
  openGroup(group, applied);
  for (let at = record.from; at < record.to;) {
    const low = at % chunk;
    const length = min(chunk - low, record.to - at);
    const pointer = buffer + <usize>(BLOCK + at - record.from);
    put(deviceOf(row, <i32>(at / chunk)), row, pointer, low, length);
    at += length;
  }
  if (record.high > record.low) {
    const pointer = buffer + <usize>record.parityAt;
    put(parityOf(row), row, pointer, record.low, record.high - record.low);
  }
  closeGroup(group);
}

function put(device: i32, row: u64, pointer: usize, low: u64, length: u64): void {
  if (!isUsable(device, row)) return;
  const at = offsetOf(row) + low;
  track(group, device, nextPwrite(own, device, pointer, length, at, 0, tokenFor(group, device)));
}

function applied(pointer: usize): void {
  if (group.failed) loseDevices(group.failed, group.errno, "repeating the journal");
  if (phase == Phase.Failed) return setProblem(Problem.Broken);
  replayed++;
  position += recordBytes();
  sequence++;
  wrapped = false;
  go(begin);
}

function finish(): void {
  free(buffer, <usize>recordBytesMax(chunk));
  tellReplayed(replayed);
  if (replayed) {
    say("the array was not stopped in good order: ");
    sayNumber(replayed);
    say(" records of the journal are repeated");
    logLine(LogLevel.Info);
  }
  openGroup(group, flushed);
  for (let device = 0; device < nextCount(); device++) {
    if (!isWritten(device) || !canFlush(device)) continue;
    track(group, device, nextFlush(own, device, 0, tokenFor(group, device)));
  }
  closeGroup(group);
}

/** All of it is safe: the journal begins anew. */
function flushed(pointer: usize): void {
  if (group.failed) loseDevices(group.failed, group.errno, "a flush");
  if (phase == Phase.Failed) return setProblem(Problem.Broken);
  if (!startJournal(0, sequence + SEQUENCE_STEP)) return setProblem(Problem.Memory);
  save();
}
