// SPDX-License-Identifier: MIT
// Bytes of a disk of up to 2^63-1 bytes, of which only those that were written take memory.
//
// The disk is cut into chunks of 64 KiB, each of which has a frame of memory or none, and a chunk
// into 16 blocks of 4 KiB, each present or not. A chunk's entry is the address of its frame, whose
// lower 16 bits are zero, or'ed with a bit for each present block. A block that is not present is
// zero in its frame, too, and takes no physical memory. That bytes come back zero after they were
// freed rests on this alone: whoever takes a block's bit away releases or fills its bytes first.

import { release } from "../../../sdk/assemblyscript/assembly";
import { FRAME_BITS, FRAME_BYTES, giveFrame, provideFrames, takeFrame } from "./frames";
import { absentEnd, createTable, find, findOrMake, LEAF_CHUNKS, prune } from "./table";

const BLOCK_BITS: u32 = 12;
/** Unit of allocation as clients see it. */
export const BLOCK_BYTES: u32 = 1 << BLOCK_BITS;
const BLOCKS: u32 = 1 << (FRAME_BITS - BLOCK_BITS);
const INNER: u32 = FRAME_BYTES - 1;
const ALL_BLOCKS: u32 = (1 << BLOCKS) - 1;

/** What `scan` found: the address of the bytes, or 0 where they are absent. */
export let runPointer: usize = 0;
/** Number of bytes that are alike. */
export let runLength: u64 = 0;

let diskSize: u64 = 0;

/** Sets up an empty store for a disk of `size` bytes. False when there is no memory. */
export function createStore(size: u64): bool {
  diskSize = size;
  return createTable(((size + INNER) >> FRAME_BITS) + u64(size == 0));
}

/** Bits of the blocks that `count` bytes (not 0) at `inner` of a chunk touch. */
// @ts-ignore: decorator
@inline
function blocksOf(inner: u32, count: u32): u32 {
  const last = (inner + count - 1) >> BLOCK_BITS;
  return (ALL_BLOCKS << (inner >> BLOCK_BITS)) & (ALL_BLOCKS >> (BLOCKS - 1 - last));
}

/** Address of `count` bytes when they are all present and in one chunk, as they mostly are; or 0. */
// @ts-ignore: decorator
@inline
export function resident(offset: u64, count: u64): usize {
  const inner = <u32>offset & INNER;
  if (count - 1 >= <u64>(FRAME_BYTES - inner)) return 0;
  const slot = find(offset >> FRAME_BITS);
  if (!slot) return 0;
  const entry = load<u32>(slot);
  const wanted = blocksOf(inner, <u32>count);
  return (entry & wanted) == wanted ? <usize>((entry & ~INNER) + inner) : 0;
}

/**
 * Looks how far from `offset`, and at most to `end`, the bytes are either absent or present without
 * a gap in memory; leaves the answer in `runPointer` and `runLength`.
 */
export function scan(offset: u64, end: u64): void {
  let at = offset;
  while (at < end) {
    const chunk = at >> FRAME_BITS;
    const slot = find(chunk);
    const entry = slot ? load<u32>(slot) : 0;
    let here: usize = 0;
    let next: u64;
    if (entry) {
      const block = (<u32>at & INNER) >> BLOCK_BITS;
      const bits = (entry & INNER) >> block;
      const run = bits & 1 ? ctz(~bits) : min(bits ? ctz(bits) : BLOCKS, BLOCKS - block);
      if (bits & 1) here = (entry & ~INNER) + (<u32>at & INNER);
      next = ((at >> BLOCK_BITS) + run) << BLOCK_BITS;
    } else {
      const nextChunk = slot ? chunk + 1 : absentEnd;
      next = nextChunk > end >> FRAME_BITS ? end : nextChunk << FRAME_BITS;
    }
    if (at == offset) runPointer = here;
    else if (here != (runPointer ? runPointer + <usize>(at - offset) : 0)) break;
    at = min(next, end);
  }
  runLength = at - offset;
}

/** Stores `count` bytes from `source`. False when memory is used up; some may be stored then. */
export function write(offset: u64, count: u64, source: usize): bool {
  while (count) {
    const inner = <u32>offset & INNER;
    const length = <u32>min(count, <u64>(FRAME_BYTES - inner));
    const slot = occupy(offset >> FRAME_BITS);
    if (!slot) return false;
    const entry = load<u32>(slot);
    store<u32>(slot, entry | blocksOf(inner, length));
    const target = <usize>((entry & ~INNER) + inner);
    // Received where it belongs, it is there already.
    if (target != source) memory.copy(target, source, length);
    offset += length;
    source += length;
    count -= length;
  }
  return true;
}

/** The entry of `chunk`, with a frame; 0 when memory is used up. */
// @ts-ignore: decorator
@inline
function occupy(chunk: u64): usize {
  const slot = find(chunk);
  if (slot && load<u32>(slot)) return slot;
  return addFrame(chunk);
}

function addFrame(chunk: u64): usize {
  const slot = findOrMake(chunk);
  if (!slot) return 0;
  const neighbour = chunk % LEAF_CHUNKS ? load<u32>(slot - 4) : 0;
  const frame = takeFrame(neighbour >> FRAME_BITS);
  if (!frame) {
    prune(chunk);
    return 0;
  }
  store<u32>(slot, frame << FRAME_BITS);
  return slot;
}

/** Bytes waiting to be released in one go: those of neighbouring chunks are often neighbours. */
let releasing: usize = 0;
let releasingLength: usize = 0;

function releaseLater(pointer: usize, length: usize): void {
  if (pointer != releasing + releasingLength) {
    releaseNow();
    releasing = pointer;
  }
  releasingLength += length;
}

function releaseNow(): void {
  if (releasingLength) release(releasing, releasingLength);
  releasingLength = 0;
}

/** Bits of the blocks that lie entirely in `length` bytes at `inner` of a chunk. */
// @ts-ignore: decorator
@inline
function blocksInside(inner: u32, length: u32): u32 {
  const from = (inner + BLOCK_BYTES - 1) >> BLOCK_BITS;
  const to = (inner + length) >> BLOCK_BITS;
  return from < to ? (ALL_BLOCKS << from) & (ALL_BLOCKS >> (BLOCKS - to)) : 0;
}

/** Makes `length` bytes at `inner` of the chunk with `entry` zero. */
function clear(entry: u32, inner: u32, length: u32): void {
  const frame = entry & ~INNER;
  const end = inner + length;
  const whole = blocksInside(inner, length);
  if (entry & whole) {
    const from = <u32>ctz(whole) << BLOCK_BITS;
    releaseLater(frame + from, <u32>popcnt(whole) << BLOCK_BITS);
  }
  for (let at = inner; at < end;) {
    const block = at >> BLOCK_BITS;
    const next = min((block + 1) << BLOCK_BITS, end);
    if ((entry & ~whole) >> block & 1) memory.fill(frame + at, 0, next - at);
    at = next;
  }
}

/** Makes `count` bytes zero and frees the blocks that lie in them entirely. */
export function discard(offset: u64, count: u64): void {
  let end = offset + count;
  // Nothing lies behind the end of the disk, so its last block need not be a whole one.
  if (end == diskSize) end = (end + BLOCK_BYTES - 1) & ~<u64>(BLOCK_BYTES - 1);
  let emptied = false;
  while (offset < end) {
    const chunk = offset >> FRAME_BITS;
    const slot = find(chunk);
    if (!slot) {
      if (absentEnd > end >> FRAME_BITS) break;
      offset = absentEnd << FRAME_BITS;
      continue;
    }
    const inner = <u32>offset & INNER;
    const length = <u32>min(end - offset, <u64>(FRAME_BYTES - inner));
    offset += length;
    if (load<u32>(slot) && drop(slot, inner, length)) emptied = true;
    // Looks through a leaf once, when the last of its chunks in question has been seen to.
    if (emptied && (offset >= end || !((offset >> FRAME_BITS) % LEAF_CHUNKS))) {
      prune(chunk);
      emptied = false;
    }
  }
  releaseNow();
}

/** `discard` in one chunk that has a frame. True when it has none any more. */
function drop(slot: usize, inner: u32, length: u32): bool {
  const entry = load<u32>(slot);
  clear(entry, inner, length);
  const left = entry & ~blocksInside(inner, length);
  if (left & INNER) {
    store<u32>(slot, left);
    return false;
  }
  store<u32>(slot, 0);
  giveFrame(entry >> FRAME_BITS);
  return true;
}

/** Makes `count` bytes zero and present. False, mostly with nothing changed, without memory. */
export function provision(offset: u64, count: u64): bool {
  const end = offset + count;
  if (!provideFrames(framesMissing(offset >> FRAME_BITS, (end + INNER) >> FRAME_BITS))) return false;
  while (offset < end) {
    const inner = <u32>offset & INNER;
    const length = <u32>min(end - offset, <u64>(FRAME_BYTES - inner));
    const slot = occupy(offset >> FRAME_BITS);
    if (!slot) break;
    const entry = load<u32>(slot);
    clear(entry, inner, length);
    store<u32>(slot, entry | blocksOf(inner, length));
    offset += length;
  }
  releaseNow();
  return offset >= end;
}

/** How many of the chunks from `chunk` to `end` - 1 have no frame. */
function framesMissing(chunk: u64, end: u64): u64 {
  let missing: u64 = 0;
  while (chunk < end) {
    const slot = find(chunk);
    const next = slot ? chunk + 1 : min(absentEnd, end);
    if (!slot || !load<u32>(slot)) missing += next - chunk;
    chunk = next;
  }
  return missing;
}
