// SPDX-License-Identifier: MIT
// Answers reads from the cache file, and from below where blocks are not in it. Slots are kept from being
// used otherwise while they are read; what cannot be read is fetched from below if it is there.

import {
  begin,
  end,
  Errno,
  filePread,
  nextForward,
  nextPread,
  PENDING,
  replyBuffer,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, spanEnd } from "../../lib/blocks/assembly/map";
import { failWithFile, file, notRead, placeOf } from "./file";
import { Operation } from "./operations";
import { readEnded } from "./reads";
import {
  blockBits,
  blockMask,
  DIRTY,
  FETCHING,
  pin,
  remove,
  touch,
  unitOf,
  unitStep,
  unpin,
  WRITING,
} from "./store";

/** A piece of an answer that comes from slots side by side. */
@unmanaged
class Piece extends Task {
  owner: usize;
  buffer: usize;
  count: u64;
  offset: u64;
  slot: usize;
  slots: u64;
  /** It is read from below now. */
  below: bool;
}

/** Answers a read. What is under way is counted in `one.left`. Returns 0, PENDING or an errno. */
export function answerFromFile(one: Operation): i32 {
  const stop = one.offset + one.count;
  for (let at = one.offset; at < stop;) {
    const entry = entryOf(at >> blockBits);
    const inFile = entry && !(entry & FETCHING);
    const next = inFile ? runInFile(at, stop, unitOf(entry)) : runBelow(at, stop);
    let status: i32;
    if (inFile) status = readPiece(one, at, next - at, unitOf(entry));
    else status = nextForward(one.request, 0, at - one.offset, next - at, at, one.flags, token(one));
    if (status == PENDING) one.left++;
    else if (status) {
      one.errno = status;
      return status;
    }
    at = next;
  }
  return one.left ? PENDING : 0;
}

/** Up to where blocks from `at` on lie in slots side by side, `slot` being the first. */
function runInFile(at: u64, stop: u64, slot: usize): u64 {
  let next = min(spanEnd << blockBits, stop);
  touch(slot);
  while (next < stop) {
    const entry = entryOf(next >> blockBits);
    slot += unitStep;
    if (entry & FETCHING || unitOf(entry) != slot) break;
    touch(slot);
    next = min(spanEnd << blockBits, stop);
  }
  return next;
}

/** Up to where blocks from `at` on are not in the file. */
function runBelow(at: u64, stop: u64): u64 {
  let next = min(spanEnd << blockBits, stop);
  while (next < stop) {
    const entry = entryOf(next >> blockBits);
    if (entry && !(entry & FETCHING)) break;
    next = min(spanEnd << blockBits, stop);
  }
  return next;
}

function readPiece(one: Operation, offset: u64, count: u64, slot: usize): i32 {
  const buffer = replyBuffer(one.request, offset - one.offset, count);
  const piece = begin<Piece>(wasRead);
  if (!buffer || !piece) {
    if (piece) end(piece);
    return Errno.ENOMEM;
  }
  piece.owner = changetype<usize>(one);
  piece.buffer = buffer;
  piece.count = count;
  piece.offset = offset;
  piece.slot = slot;
  piece.slots = ((offset + count - 1) >> blockBits) - (offset >> blockBits) + 1;
  pin(slot, piece.slots);
  const place = placeOf(slot, offset & blockMask);
  const status = filePread(file, buffer, count, place, 0, token(piece));
  return status == PENDING ? PENDING : conclude(piece, status);
}

function wasRead(at: i32, result: i32): void {
  const piece = taskOf<Piece>(at);
  const one = changetype<Operation>(piece.owner);
  const status = conclude(piece, result);
  if (status != PENDING) readEnded(one, status);
}

/** The bytes have come, or not. Returns what becomes of the piece. */
function conclude(piece: Piece, status: i32): i32 {
  if (piece.below || !status) return finish(piece, status);
  notRead(status);
  if (!forget(piece)) return finish(piece, failWithFile(status));
  piece.below = true;
  const handle = changetype<Operation>(piece.owner).handle;
  const at = token(piece);
  status = nextPread(handle, 0, piece.buffer, piece.count, piece.offset, 0, at);
  return status == PENDING ? PENDING : finish(piece, status);
}

function finish(piece: Piece, status: i32): i32 {
  unpin(piece.slot, piece.slots);
  end(piece);
  return status;
}

/** Takes the blocks out whose slots cannot be read. False where that would lose changes. */
function forget(piece: Piece): bool {
  const first = piece.offset >> blockBits;
  for (let i: u64 = 0; i < piece.slots; i++) {
    const entry = entryOf(first + i);
    const isThere = unitOf(entry) == piece.slot + <usize>i * unitStep;
    if (isThere && entry & (DIRTY | WRITING)) return false;
  }
  for (let i: u64 = 0; i < piece.slots; i++) {
    const entry = entryOf(first + i);
    if (unitOf(entry) == piece.slot + <usize>i * unitStep && !(entry & FETCHING)) remove(first + i);
  }
  return true;
}
