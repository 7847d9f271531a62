// SPDX-License-Identifier: MIT
// Which frame holds which 64 KiB chunk of the disk: a radix tree with 256 ways, as deep as the size
// of the disk needs, whose nodes exist only where there is data. The slots of the lowest level,
// the leaves, are the entries described in store.ts; those above are addresses of nodes; 0: absent.

import { FRAME_BITS, FRAME_BYTES, takeFrame } from "./frames";

/** A level decides this many bits of the chunk number. */
const NODE_BITS: u32 = 8;
const NODE_SLOTS: u32 = 1 << NODE_BITS;
const NODE_BYTES: u32 = NODE_SLOTS * 4;
/** Chunks whose entries lie side by side: `find` gives consecutive addresses for them. */
export const LEAF_CHUNKS: u32 = NODE_SLOTS;
/** Levels that 2^47 chunks need. */
const LEVELS_MAX: u32 = 6;

/** No chunk has these upper bits. */
const NO_KEY: u64 = 0xffff_ffff_ffff_ffff;

let root: usize = 0;
/** Shift of a chunk number that gives the slot in the root. */
let rootShift: u32 = 0;
/** List of free nodes, linked by their first words. */
let freeNodes: usize = 0;
/** The leaf used last, for chunks with these upper bits. */
let lastLeaf: usize = 0;
// Written out, as the compiler would make a start function out of the name.
let lastLeafKey: u64 = 0xffff_ffff_ffff_ffff;
/** Nodes on the way to a leaf, by level. */
const path = memory.data(LEVELS_MAX * 4);

/** When `find` returns 0: all chunks below this one are absent, too. */
export let absentEnd: u64 = 0;

/** Makes an empty table for chunks 0 to `chunks` - 1. False when there is no memory. */
export function createTable(chunks: u64): bool {
  rootShift = 0;
  while (chunks > (<u64>NODE_SLOTS) << rootShift) rootShift += NODE_BITS;
  root = newNode();
  return root != 0;
}

// @ts-ignore: decorator
@inline
function slotOf(node: usize, chunk: u64, shift: u32): usize {
  return node + (<usize>(chunk >> shift) & (NODE_SLOTS - 1)) * 4;
}

/** Address of the entry of `chunk`; 0 when there is no leaf for it (see `absentEnd`). */
// @ts-ignore: decorator
@inline
export function find(chunk: u64): usize {
  if (chunk >> NODE_BITS == lastLeafKey) return slotOf(lastLeaf, chunk, 0);
  return descend(chunk);
}

function descend(chunk: u64): usize {
  let node = root;
  for (let shift = rootShift; shift; shift -= NODE_BITS) {
    node = load<u32>(slotOf(node, chunk, shift));
    if (!node) {
      absentEnd = ((chunk >> shift) + 1) << shift;
      return 0;
    }
  }
  lastLeaf = node;
  lastLeafKey = chunk >> NODE_BITS;
  return slotOf(node, chunk, 0);
}

/** Like `find`, but makes the leaf where there is none. 0 when there is no memory. */
export function findOrMake(chunk: u64): usize {
  const slot = find(chunk);
  if (slot) return slot;
  let node = root;
  for (let shift = rootShift; shift; shift -= NODE_BITS) {
    const slot = slotOf(node, chunk, shift);
    node = load<u32>(slot);
    if (!node) {
      node = newNode();
      if (!node) {
        prune(chunk);
        return 0;
      }
      store<u32>(slot, <u32>node);
    }
  }
  return descend(chunk);
}

/** Frees the nodes on the way to `chunk` that have become empty. */
export function prune(chunk: u64): void {
  let node = root;
  let shift = rootShift;
  while (true) {
    store<u32>(path + (shift / NODE_BITS) * 4, <u32>node);
    if (!shift) break;
    const child = load<u32>(slotOf(node, chunk, shift));
    if (!child) break;
    node = child;
    shift -= NODE_BITS;
  }
  for (; shift < rootShift && isEmpty(node); shift += NODE_BITS) {
    freeNode(node);
    node = load<u32>(path + (shift / NODE_BITS + 1) * 4);
    store<u32>(slotOf(node, chunk, shift + NODE_BITS), 0);
  }
  lastLeafKey = NO_KEY;
}

function isEmpty(node: usize): bool {
  for (let i: u32 = 0; i < NODE_BYTES; i += 8) {
    if (load<u64>(node + i)) return false;
  }
  return true;
}

function newNode(): usize {
  if (!freeNodes) {
    const frame = takeFrame(0);
    if (!frame) return 0;
    for (let i: u32 = 0; i < FRAME_BYTES; i += NODE_BYTES) freeNode((frame << FRAME_BITS) + i);
  }
  const node = freeNodes;
  freeNodes = load<u32>(node);
  memory.fill(node, 0, NODE_BYTES);
  return node;
}

function freeNode(node: usize): void {
  store<u32>(node, <u32>freeNodes);
  freeNodes = node;
}
