// SPDX-License-Identifier: MIT
// Puts the array together when the server starts: reads what the devices say about themselves, finds out
// which one is absent, has the journal repeated, and stores that. Or makes a new one.

import {
  alloc,
  free,
  infoOf,
  logLine,
  LogLevel,
  nextCount,
  nextOpen,
  nextPread,
  nextSize,
  say,
  sayNumber,
  Support,
} from "../../sdk/assemblyscript/assembly";
import { crc32c } from "./bytes";
import { own, Phase, phase, setAbsent, setOwn, setPhase } from "./devices";
import { closeGroup, Group, openGroup, tokenFor, track } from "./group";
import { BLOCK, startJournal } from "./journal";
import { dataStart, offsetOf, rows, setLayout, SUPERBLOCK_BYTES } from "./layout";
import { hasProblem, Problem, setProblem } from "./problem";
import { continueRebuild } from "./rebuild";
import { replay } from "./replay";
import { NOBODY, prepareSuperblocks, save, setIdentity, Superblock, superblockAt } from "./superblock";

// @ts-ignore: decorator
@external("sandblock:v3", "random")
declare function random(pointer: usize, length: usize): i32;

const FIRST_SEQUENCE: u64 = 1 << 20;
const PAIR_BYTES: usize = 8192;
const ALL_BYTES: usize = 16 * PAIR_BYTES;

const group = changetype<Group>(memory.data(32, 16));
/** Both superblocks of each device. */
let pairs: usize = 0;
let wantsNew = false;
let newChunk: u64 = 0;
let newJournal: u64 = 0;
let wantsRebuilt: i32 = -1;

export function setCreate(value: bool): void {
  wantsNew = value;
}

export function setChunk(bytes: u64): void {
  newChunk = bytes;
}

export function setJournal(bytes: u64): void {
  newJournal = (bytes + BLOCK - 1) & ~(BLOCK - 1);
}

export function setRebuild(device: i32): void {
  wantsRebuilt = device;
}

/** Bytes of the largest record. */
export function recordBytesMax(chunkBytes: u64): u64 {
  return BLOCK + 4096 + chunkBytes * nextCount();
}

/** Begins to put the array together. Returns 0 or an errno. */
export function loadArray(): i32 {
  const handle = nextOpen(0, 0, 0);
  if (handle < 0) return -handle;
  setOwn(handle);
  pairs = alloc(ALL_BYTES, 4096);
  if (!pairs || !prepareSuperblocks()) setProblem(Problem.Memory);
  else checkDevices();
  if (hasProblem()) return 0;
  memory.fill(pairs, 0, ALL_BYTES);
  openGroup(group, haveSuperblocks);
  for (let device = 0; device < nextCount(); device++) {
    const pointer = pairs + <usize>device * PAIR_BYTES;
    track(group, device, nextPread(own, device, pointer, PAIR_BYTES, 0, 0, tokenFor(group, device)));
  }
  closeGroup(group);
  return 0;
}

function checkDevices(): void {
  const least = dataStart(0);
  for (let device = 0; device < nextCount(); device++) {
    const info = infoOf(own, device);
    if (info.write == Support.None) return setProblem(Problem.ReadOnly, device);
    if (info.blockMinimum > 4096) return setProblem(Problem.BlockSize, device, BLOCK);
    if (<u64>nextSize(own, device) < least) return setProblem(Problem.TooSmall, device, least);
  }
  if (wantsRebuilt >= nextCount()) setProblem(Problem.NoDevice, wantsRebuilt, nextCount() - 1);
}

/** The newer superblock of a device; null where it has none. */
function newestOf(device: i32): Superblock | null {
  const pointer = pairs + <usize>device * PAIR_BYTES;
  const a = superblockAt(pointer);
  const b = superblockAt(pointer + <usize>SUPERBLOCK_BYTES);
  if (!a || !b) return a ? a : b;
  return a.generation > b.generation ? a : b;
}

function haveSuperblocks(pointer: usize): void {
  // One that cannot be read is one that is not there.
  for (let device = 0; device < nextCount(); device++) {
    if (group.failed & (1 << device)) memory.fill(pairs + <usize>device * PAIR_BYTES, 0, PAIR_BYTES);
  }
  if (wantsNew) create();
  else assemble();
  if (pairs) free(pairs, ALL_BYTES);
  pairs = 0;
}

/** Says how the disk lies on the devices. False, with the problem set, where it does not fit. */
function takeLayout(chunkBytes: u64, journal: u64, rowCount: u64): bool {
  setLayout(chunkBytes, journal, rowCount);
  for (let device = 0; device < nextCount(); device++) {
    if (<u64>nextSize(own, device) < offsetOf(max<u64>(rows, 1))) {
      setProblem(Problem.TooSmall, device, offsetOf(max<u64>(rows, 1)));
      return false;
    }
    if (<u64>infoOf(own, device).blockMaximum < recordBytesMax(chunkBytes)) {
      setProblem(Problem.BlockSize, device, recordBytesMax(chunkBytes));
      return false;
    }
  }
  return true;
}

function create(): void {
  for (let device = 0; device < nextCount(); device++) {
    if (newestOf(device)) return setProblem(Problem.Taken, device);
  }
  if (popcnt(newChunk) != 1) return setProblem(Problem.Chunk, newChunk);
  if (newJournal < 4 * recordBytesMax(newChunk)) {
    return setProblem(Problem.Journal, 4 * recordBytesMax(newChunk));
  }
  let least: u64 = u64.MAX_VALUE;
  for (let device = 0; device < nextCount(); device++) least = min(least, <u64>nextSize(own, device));
  const start = dataStart(newJournal);
  if (!takeLayout(newChunk, newJournal, least > start ? (least - start) / newChunk : 0)) return;
  setNewIdentity();
  // The last device is made out of the others, whatever is on them: then the parity is right.
  setAbsent(nextCount() - 1, 0);
  if (!startJournal(0, FIRST_SEQUENCE)) return setProblem(Problem.Memory);
  save();
}

/** A number that no other array has: where there is none to be had, out of what the devices held. */
function setNewIdentity(): void {
  const place = memory.data(16, 8);
  if (random(place, 16)) {
    store<u64>(place, <u64>crc32c(pairs, ALL_BYTES) << 32 | rows & 0xffffffff);
    store<u64>(place, newChunk << 40 ^ newJournal << 8 ^ nextCount(), 8);
  }
  setIdentity(load<u64>(place), load<u64>(place, 8), 0);
}

function assemble(): void {
  let best: Superblock | null = null;
  for (let device = 0; device < nextCount(); device++) {
    const one = newestOf(device);
    if (one && (!best || one.generation > best.generation)) best = one;
  }
  if (!best) return setProblem(Problem.NoArray);
  if (best.devices != nextCount()) return setProblem(Problem.Count, best.devices, nextCount());
  if (!takeLayout(best.chunk, best.journal, best.rows)) return;
  setIdentity(best.id, best.id2, best.generation);
  const gone = findAbsent(best);
  if (hasProblem()) return;
  const began = gone >= 0 && best.absent == gone && best.rebuilding != 0 &&
    newestOf(gone) !== null;
  let from: i64 = began ? <i64>best.rebuilt : -1;
  if (wantsRebuilt >= 0 && gone >= 0) {
    if (wantsRebuilt != gone) return setProblem(Problem.OtherMissing, wantsRebuilt, gone);
    if (from < 0) from = 0;
  } else if (wantsRebuilt >= 0) tellNothingToDo();
  setAbsent(gone, from);
  if (gone >= 0 && from < 0) tellAbsent(gone);
  replay(best.tail, best.tailSequence);
}

/** The device that cannot be used; -1 for none. */
function findAbsent(best: Superblock): i32 {
  let gone: i32 = best.absent == NOBODY ? -1 : best.absent;
  for (let device = 0; device < nextCount(); device++) {
    const one = newestOf(device);
    if (one && (one.id != best.id || one.id2 != best.id2)) {
      setProblem(Problem.Foreign, device);
      return -1;
    }
    if (one && one.index != device) {
      setProblem(Problem.Order, device, one.index);
      return -1;
    }
    // All are written at a time, so one that is two behind was not there.
    if (device == gone || (one && one.generation + 1 >= best.generation)) continue;
    if (gone >= 0) {
      setProblem(Problem.TwoMissing, gone, device);
      return -1;
    }
    gone = device;
  }
  return gone;
}

function tellNothingToDo(): void {
  say("nothing to rebuild: device ");
  sayNumber(wantsRebuilt);
  say(" is up to date");
  logLine(LogLevel.Info);
}

function tellAbsent(gone: i32): void {
  say("device ");
  sayNumber(gone);
  say(" is missing or out of date; rebuild=");
  sayNumber(gone);
  say(" makes its content again");
  logLine(LogLevel.Warning);
}

/** The state of the array is stored: it can be used, if that was all that was to do. */
export function loadSaved(): void {
  if (phase != Phase.Loading) return;
  setPhase(Phase.Running);
  continueRebuild();
}
