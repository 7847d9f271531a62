// SPDX-License-Identifier: MIT
// What the data is: in each block one byte repeated, never zero, or random bytes throughout.

import { fillRandom, randomAt, scramble } from "../../lib/generated/assembly/random";

/** What makes these random numbers others than those of the layout. */
const PURPOSE: u64 = 0x636f_6e74_656e_74;

let key: u64 = 0;
let blockSize: u64 = 0;
let random = false;

export function setContent(seed: u64, size: u64, everyByteRandom: bool): void {
  key = scramble(seed ^ PURPOSE);
  blockSize = size;
  random = everyByteRandom;
}

/** Puts `count` bytes of data from `offset` on at `pointer`, as if there were no holes. */
export function fillContent(pointer: usize, count: usize, offset: u64): void {
  if (random) {
    fillRandom(pointer, count, offset, key);
    return;
  }
  while (count) {
    const rest = blockSize - (offset & (blockSize - 1));
    const length = <usize>min(rest, <u64>count);
    memory.fill(pointer, <u8>(1 + randomAt(key, offset / blockSize) % 255), length);
    pointer += length;
    offset += length;
    count -= length;
  }
}
