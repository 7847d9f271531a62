// SPDX-License-Identifier: MIT
// Ranges that begin, end or lie where mistakes are made: at the edges of sectors, pages and larger
// blocks, and at both ends.

import type { Random } from "./random.ts";

/** A range of an area. */
export type Cut = readonly [at: number, length: number];

const EDGES = [0, 512, 4096, 8192, 32768, 65536, 131072, 262144, 524288];
const LENGTHS = [1, 2, 511, 512, 513, 4095, 4096, 4097, 8193, 65535, 65537, 131073];

/** Ranges of an area of `length` bytes in blocks of `block`, of at most `most` bytes, none twice. */
export function cutsOf(length: number, block: number, most: number): Cut[] {
  const cuts = new Map<string, Cut>();
  const add = (at: number, count: number) => {
    const from = Math.floor(at / block) * block;
    const to = Math.ceil((at + count) / block) * block;
    if (at < 0 || to > length || to - from > most || to <= from) return;
    cuts.set(`${from} ${to}`, [from, to - from]);
  };
  for (const edge of [...EDGES, length]) {
    for (const count of LENGTHS) {
      add(edge, count);
      add(edge - 1, count);
      add(edge - count, count);
      add(edge + 1 - count, count);
    }
  }
  add(0, Math.min(length, most));
  add(length - Math.min(length, most), Math.min(length, most));
  return [...cuts.values()];
}

/** A random range of an area. */
export function randomCut(random: Random, length: number, block: number, most: number): Cut {
  const blocks = Math.floor(length / block);
  const blocksMost = Math.max(1, Math.floor(Math.min(most, 200_000) / block));
  const count = Math.min(
    blocks,
    1 + random.below(random.oneIn(2) ? Math.min(blocksMost, 16) : blocksMost),
  );
  const at = random.below(blocks - count + 1);
  return [at * block, count * block];
}
