// SPDX-License-Identifier: MIT
// Memory by size, for the plugin and for the host: first fit in a list of free blocks in order of
// address, neighbours joined. No headers: who frees says what size it was. Lives only in memory
// that it has grown itself, so that it gets along with any AssemblyScript runtime.

import { release } from "./host";

/** Sizes are rounded up to this, and nothing is aligned to less. */
const UNIT: usize = 16;
const PAGE: usize = 65536;
/** Memory grows by at least this many pages, where there are as many. */
const STEP: usize = 16;
/** The last page of 4 GiB stays unused, so that the end of a block is never 2^32. */
const PAGES_MAX: usize = 65535;

/** A block that nobody uses; it lies at the start of the block itself. */
@unmanaged
class Free {
  next: usize;
  size: usize;
}

/** First free block. */
let first: usize = 0;
/** The host's buffers that are at least so large do not keep their physical memory. */
const RELEASE_MIN: usize = 256 << 10;

/** Memory put by for the host (see `reserve`). */
let reserved: usize = 0;
let reservedSize: usize = 0;

// @ts-ignore: decorator
@inline
function roundUp(value: usize, unit: usize): usize {
  return (value + unit - 1) & ~(unit - 1);
}

/** `size` bytes, of any content, at a multiple of `align` (a power of two); 0 when there is no memory left. */
export function alloc(size: usize, align: usize): usize {
  if (size > PAGES_MAX * PAGE || align > PAGES_MAX * PAGE) return 0;
  size = size ? roundUp(size, UNIT) : UNIT;
  if (align < UNIT) align = UNIT;
  const pointer = carve(size, align);
  if (pointer || !grow(size, align)) return pointer;
  return carve(size, align);
}

/** Like `alloc`, and the bytes are zero. Costs no physical memory before they are written. */
export function allocZeroed(size: usize, align: usize): usize {
  const pointer = alloc(size, align);
  if (pointer) release(pointer, size);
  return pointer;
}

/** Gives back what `alloc` returned for `size`. */
export function free(pointer: usize, size: usize): void {
  size = size ? roundUp(size, UNIT) : UNIT;
  let before: usize = 0;
  let after = first;
  while (after && after < pointer) {
    before = after;
    after = changetype<Free>(after).next;
  }
  if (after && pointer + size == after) {
    size += changetype<Free>(after).size;
    after = changetype<Free>(after).next;
  }
  if (before && before + changetype<Free>(before).size == pointer) {
    changetype<Free>(before).size += size;
    changetype<Free>(before).next = after;
    return;
  }
  put(before, pointer, size, after);
}

/** Makes [block, block + size) a free block between two others. */
function put(before: usize, block: usize, size: usize, after: usize): void {
  changetype<Free>(block).next = after;
  changetype<Free>(block).size = size;
  if (before) changetype<Free>(before).next = block;
  else first = block;
}

/** Takes memory out of the first free block that has room. */
function carve(size: usize, align: usize): usize {
  let before: usize = 0;
  let block = first;
  while (block) {
    const next = changetype<Free>(block).next;
    const end = block + changetype<Free>(block).size;
    const start = roundUp(block, align);
    if (start >= block && start < end && end - start >= size) {
      if (before) changetype<Free>(before).next = next;
      else first = next;
      if (start > block) {
        put(before, block, start - block, next);
        before = block;
      }
      if (start + size < end) put(before, start + size, end - start - size, next);
      return start;
    }
    before = block;
    block = next;
  }
  return 0;
}

/** Gets enough memory from the host to place `size` bytes behind what there is. */
function grow(size: usize, align: usize): bool {
  const pages = <usize>memory.size();
  const end = <u64>pages << 16;
  let base = end;
  for (let block = first; block; block = changetype<Free>(block).next) {
    if (<u64>block + changetype<Free>(block).size == end) base = block;
  }
  const start = (base + align - 1) & ~(<u64>align - 1);
  const needed = <usize>((start + size - end + PAGE - 1) >> 16);
  if (needed > PAGES_MAX - pages) return false;
  let added = min(max(needed, STEP), PAGES_MAX - pages);
  if (memory.grow(<i32>added) < 0) {
    added = needed;
    if (memory.grow(<i32>added) < 0) return false;
  }
  free(<usize>end, added << 16);
  return true;
}

/**
 * Puts up to `size` bytes by that only the host gets (through `sb_alloc`), so that a plugin that
 * has filled its memory with data can still be talked to. Takes half as much, and so on, where
 * there is not that much.
 */
export function reserve(size: usize): void {
  for (; size >= PAGE; size >>= 1) {
    reserved = alloc(size, UNIT);
    reservedSize = size;
    if (reserved) return;
  }
}

/** The host's `alloc`. */
export function sb_alloc(size: usize, align: usize): usize {
  const pointer = alloc(size, align);
  if (pointer || !reserved) return pointer;
  free(reserved, reservedSize);
  reserved = 0;
  return alloc(size, align);
}

/** The host's `free`. */
export function sb_free(pointer: usize, size: usize, align: usize): void {
  if (size >= RELEASE_MIN) release(pointer, size);
  free(pointer, size);
  if (!reserved && reservedSize) reserved = carve(reservedSize, UNIT);
}
