// SPDX-License-Identifier: MIT
// What is known of each block of a disk: a radix tree with 256 ways, as deep as the number of blocks
// needs. An entry is ABSENT, HOLE, or the user's own: a number from 4096 on, such as the address of a
// unit with flags in its lower bits. Large ranges of ABSENT and HOLE take no memory.

import { alloc } from "../../../sdk/assemblyscript/assembly";

/** Nothing is known of the block. */
export const ABSENT: u32 = 0;
/** The block has no content. */
export const HOLE: u32 = 1;

/** A level decides this many bits of the block number. */
const NODE_BITS: u32 = 8;
const NODE_SLOTS: u32 = 1 << NODE_BITS;
const NODE_BYTES: usize = 1024;
/** Nodes are made in chunks of this size. */
const CHUNK_BYTES: usize = 65536;

let root: usize = 0;
/** Shift of a block number that gives the slot in the root. */
let rootShift: u32 = 0;
let blockCount: u64 = 0;
/** List of free nodes, linked by their first words. */
let freeNodes: usize = 0;
/** The leaf used last, for blocks with these upper bits. */
let lastLeaf: usize = 0;
// Written out, as the compiler would make a start function out of an expression.
let lastLeafKey: u64 = 0xffff_ffff_ffff_ffff;

/** After `entryOf`: the blocks up to this one have the same entry, as far as that costs nothing. */
export let spanEnd: u64 = 0;

/** Makes a map of `blocks` blocks that are all ABSENT. False when there is no memory. */
export function createMap(blocks: u64): bool {
  blockCount = blocks;
  rootShift = 0;
  while (rootShift < 56 && blocks > (<u64>NODE_SLOTS) << rootShift) rootShift += NODE_BITS;
  root = newNode(ABSENT);
  return root != 0;
}

// @ts-ignore: decorator
@inline
function slotIn(node: usize, block: u64, shift: u32): usize {
  return node + ((<usize>(block >> shift) & (NODE_SLOTS - 1)) << 2);
}

/** The entry of `block`; see `spanEnd`. */
// @ts-ignore: decorator
@inline
export function entryOf(block: u64): u32 {
  if (block >> NODE_BITS == lastLeafKey) {
    spanEnd = block + 1;
    return load<u32>(slotIn(lastLeaf, block, 0));
  }
  return descend(block);
}

function descend(block: u64): u32 {
  let node = root;
  for (let shift = rootShift; shift; shift -= NODE_BITS) {
    const value = load<u32>(slotIn(node, block, shift));
    if (value <= HOLE) {
      spanEnd = ((block >> shift) + 1) << shift;
      return value;
    }
    node = value;
  }
  lastLeaf = node;
  lastLeafKey = block >> NODE_BITS;
  spanEnd = block + 1;
  return load<u32>(slotIn(node, block, 0));
}

/** Address of the entry of `block`, to be changed there; 0 when there is no memory. */
export function slotOf(block: u64): usize {
  if (block >> NODE_BITS == lastLeafKey) return slotIn(lastLeaf, block, 0);
  let node = root;
  for (let shift = rootShift; shift; shift -= NODE_BITS) {
    const slot = slotIn(node, block, shift);
    node = load<u32>(slot);
    if (node <= HOLE) {
      node = newNode(<u32>node);
      if (!node) return 0;
      store<u32>(slot, <u32>node);
    }
  }
  lastLeaf = node;
  lastLeafKey = block >> NODE_BITS;
  return slotIn(node, block, 0);
}

/**
 * Makes the entries of the blocks from `from` to `to` - 1 `value`, ABSENT or HOLE. `drop` is called with
 * each entry of the user's that goes. False when there was no memory to do all of it.
 */
export function setRange(from: u64, to: u64, value: u32, drop: (entry: u32) => void): bool {
  lastLeafKey = 0xffff_ffff_ffff_ffff;
  // Behind the last block there are none that would keep the last nodes from being left out.
  if (to == blockCount && from < to) to = (<u64>NODE_SLOTS) << rootShift;
  return from >= to || setIn(root, rootShift, from, to, value, drop);
}

/** `setRange` for what lies below `node`, whose slots stand for 1 << `shift` blocks each. */
function setIn(
  node: usize,
  shift: u32,
  from: u64,
  to: u64,
  value: u32,
  drop: (entry: u32) => void,
): bool {
  let done = true;
  for (let at = from; at < to;) {
    const start = (at >> shift) << shift;
    const end = start + ((<u64>1) << shift);
    const slot = slotIn(node, at, shift);
    const old = load<u32>(slot);
    if (old != value) {
      if (at == start && end <= to) {
        store<u32>(slot, value);
        if (old > HOLE) clear(old, shift, drop);
      } else if (!setPart(slot, shift, at, min(end, to), value, drop)) done = false;
    }
    at = end;
  }
  return done;
}

/** `setRange` for a part of what `slot` stands for. */
function setPart(
  slot: usize,
  shift: u32,
  from: u64,
  to: u64,
  value: u32,
  drop: (entry: u32) => void,
): bool {
  let node = <usize>load<u32>(slot);
  if (node <= HOLE) {
    node = newNode(<u32>node);
    if (!node) return false;
    store<u32>(slot, <u32>node);
  }
  const done = setIn(node, shift - NODE_BITS, from, to, value, drop);
  if (value == ABSENT && isAbsent(node)) {
    store<u32>(slot, ABSENT);
    freeNode(node);
  }
  return done;
}

/** Frees the nodes on the way to `block` that have become ABSENT altogether. */
export function prune(block: u64): void {
  if (!rootShift || !isAbsent(leafOf(block))) return;
  lastLeafKey = 0xffff_ffff_ffff_ffff;
  pruneIn(root, rootShift, block);
}

/** The leaf that `block` is in, where its last entry was looked up. */
function leafOf(block: u64): usize {
  if (block >> NODE_BITS != lastLeafKey) descend(block);
  return block >> NODE_BITS == lastLeafKey ? lastLeaf : 0;
}

function pruneIn(node: usize, shift: u32, block: u64): void {
  const slot = slotIn(node, block, shift);
  const below = <usize>load<u32>(slot);
  if (below <= HOLE) return;
  if (shift > NODE_BITS) pruneIn(below, shift - NODE_BITS, block);
  if (!isAbsent(below)) return;
  store<u32>(slot, ABSENT);
  freeNode(below);
}

function isAbsent(node: usize): bool {
  if (!node) return false;
  for (let i: usize = 0; i < NODE_BYTES; i += 8) {
    if (load<u64>(node + i)) return false;
  }
  return true;
}

/** Drops an entry of the user's or all that lies below a node, and that. */
function clear(value: u32, shift: u32, drop: (entry: u32) => void): void {
  if (!shift) {
    drop(value);
    return;
  }
  const node = <usize>value;
  for (let i: usize = 0; i < NODE_BYTES; i += 4) {
    const below = load<u32>(node + i);
    if (below > HOLE) clear(below, shift - NODE_BITS, drop);
  }
  freeNode(node);
}

/** A node whose slots are all `value`. */
function newNode(value: u32): usize {
  if (!freeNodes) {
    const chunk = alloc(CHUNK_BYTES, NODE_BYTES);
    if (!chunk) return 0;
    for (let i: usize = CHUNK_BYTES; i > 0; i -= NODE_BYTES) freeNode(chunk + i - NODE_BYTES);
  }
  const node = freeNodes;
  freeNodes = load<u32>(node);
  if (!value) memory.fill(node, 0, NODE_BYTES);
  else { for (let i: usize = 0; i < NODE_BYTES; i += 4) store<u32>(node + i, value); }
  return node;
}

function freeNode(node: usize): void {
  store<u32>(node, <u32>freeNodes);
  freeNodes = node;
}
