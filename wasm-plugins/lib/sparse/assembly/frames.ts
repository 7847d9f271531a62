// SPDX-License-Identifier: MIT
// Frames: the 64 KiB pieces of linear memory that stored data lies in. A free frame is all zero,
// and the system has its pages back.

import { alloc, release } from "../../../sdk/assemblyscript/assembly";

/** Address of a frame = its number << FRAME_BITS. */
export const FRAME_BITS: u32 = 16;
export const FRAME_BYTES: u32 = 1 << FRAME_BITS;

/** Frames that memory grows by, where there are as many (16 MiB). */
const SLAB: u32 = 256;
/** Words of the map: one bit for each of the 65536 frames that 4 GiB have. */
const WORDS: u32 = 1024;

/** Bit set: the frame is free. */
const map = memory.data(8192);
let freeCount: u32 = 0;
/** Word of the map where the search for a free frame goes on. */
let cursor: u32 = 0;

// @ts-ignore: decorator
@inline
function wordOf(frame: u32): usize {
  return map + (<usize>(frame >> 6) << 3);
}

/**
 * Takes a free frame, if possible the one after `previous`, so that neighbours on the disk are
 * neighbours in memory and go out in one piece. Returns its number; 0 when there is no memory left.
 */
export function takeFrame(previous: u32): u32 {
  if (previous && previous < 65535) {
    const next = previous + 1;
    if (load<u64>(wordOf(next)) >> (next & 63) & 1) return take(next);
  }
  if (!freeCount && !refill(1)) return 0;
  while (!load<u64>(map + (<usize>cursor << 3))) cursor = (cursor + 1) % WORDS;
  return take((cursor << 6) + <u32>ctz(load<u64>(map + (<usize>cursor << 3))));
}

function take(frame: u32): u32 {
  const word = wordOf(frame);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << (frame & 63)));
  freeCount--;
  return frame;
}

/** Gives a frame back; its bytes have been released. */
export function giveFrame(frame: u32): void {
  const word = wordOf(frame);
  store<u64>(word, load<u64>(word) | (<u64>1) << (frame & 63));
  freeCount++;
}

/** Makes sure that `count` frames are free. False when there is not so much memory. */
export function provideFrames(count: u64): bool {
  return count <= freeCount || (count <= 65536 && refill(<u32>count - freeCount));
}

/** Turns at least `count` more frames of memory into free ones. */
function refill(count: u32): bool {
  let size = max(SLAB, count);
  while (count) {
    const slab = alloc(<usize>size << FRAME_BITS, FRAME_BYTES);
    if (!slab) {
      size >>= 1;
      if (!size) return false;
      continue;
    }
    release(slab, <usize>size << FRAME_BITS);
    const frame = <u32>(slab >> FRAME_BITS);
    for (let i: u32 = 0; i < size; i++) giveFrame(frame + i);
    cursor = frame >> 6;
    count -= min(count, size);
  }
  return true;
}
