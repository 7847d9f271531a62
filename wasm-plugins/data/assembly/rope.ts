// SPDX-License-Identifier: MIT
// Contents of a disk as a tree that is never expanded, so that the size of what is described does
// not matter: literal bytes, repetitions of a node, and scopes, which place parts of nodes at
// offsets. A node is passed by its address, and the address 0 stands for zeroes.

import { alloc, free } from "../../sdk/assemblyscript/assembly";

export const enum Kind {
  /** Bytes at `pointer`. */
  Literal,
  /** The node at `pointer`, whose length is `period`, over and over. */
  Repeat,
  /** `count` segments at `pointer`, in order of offset, none overlapping; zeroes between them. */
  Scope,
}

@unmanaged
export class Node {
  kind: Kind;
  /** Holds no run of zeroes that is worth reporting, so that nobody has to look for one. */
  dense: bool;
  length: u64;
  period: u64;
  pointer: usize;
  count: u32;
  capacity: u32;
}

/** Bytes `start` to `start` + `length` of a node, placed at `offset` of a scope. */
@unmanaged
export class Segment {
  offset: u64;
  length: u64;
  start: u64;
  node: usize;
}

/** Runs of zeroes shorter than this are answered as data. */
export const HOLE_MIN: u64 = 4096;
/** The largest disk, and so the largest node. */
export const LENGTH_MAX: u64 = 0x7fff_ffff_ffff_ffff;
/** Segments that a scope may have, which bounds the time to change it. */
const SEGMENTS_MAX: u32 = 65536;
const SEGMENT_BYTES: u32 = offsetof<Segment>();

// @ts-ignore: decorator
@inline
export function segmentAt(scope: Node, index: u32): Segment {
  return changetype<Segment>(scope.pointer + index * SEGMENT_BYTES);
}

/** A node; 0 when there is no memory. */
function makeNode(kind: Kind, length: u64, pointer: usize): usize {
  const address = alloc(offsetof<Node>(), 8);
  if (!address) return 0;
  memory.fill(address, 0, offsetof<Node>());
  const node = changetype<Node>(address);
  node.kind = kind;
  node.length = length;
  node.pointer = pointer;
  node.dense = kind == Kind.Literal;
  return address;
}

/** `length` bytes (not 0) that stay at `pointer`. 0 when there is no memory. */
export function makeLiteral(pointer: usize, length: u64): usize {
  return makeNode(Kind.Literal, length, pointer);
}

/** An empty scope. 0 when there is no memory. */
export function makeScope(): usize {
  return makeNode(Kind.Scope, 0, 0);
}

/** `count` times (not 0) a node that is not all zeroes; `count` * length is at most LENGTH_MAX. */
export function makeRepeat(child: usize, count: u64): usize {
  const period = changetype<Node>(child).length;
  const address = makeNode(Kind.Repeat, period * count, child);
  if (!address) return 0;
  const node = changetype<Node>(address);
  node.period = period;
  // A run of zeroes cannot span more than two periods, as each has something else in it.
  node.dense = changetype<Node>(child).dense || period * 2 <= HOLE_MIN;
  return address;
}

/** Whether a node is nothing but zeroes. */
export function isZero(address: usize): bool {
  if (!address) return true;
  const node = changetype<Node>(address);
  if (node.kind == Kind.Repeat) return false;
  if (node.kind == Kind.Literal) {
    for (let i: usize = 0; i < <usize>node.length; i++) {
      if (load<u8>(node.pointer + i)) return false;
    }
    return true;
  }
  for (let i: u32 = 0; i < node.count; i++) {
    if (!isZero(segmentAt(node, i).node)) return false;
  }
  return true;
}

/** Index of the first segment that ends behind `offset`. */
export function segmentIndex(scope: Node, offset: u64): u32 {
  let low: u32 = 0;
  let high = scope.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const segment = segmentAt(scope, middle);
    if (segment.offset + segment.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Puts `length` bytes of `node` from its start at `offset` of a scope, over what is there. False,
 * with nothing changed, when there is no memory or there are too many segments.
 */
export function put(scopeAddress: usize, offset: u64, length: u64, node: usize): bool {
  const scope = changetype<Node>(scopeAddress);
  if (!length) return true;
  // A segment in two and one in between.
  if (!makeRoom(scope, 2)) return false;
  const end = offset + length;
  let index = segmentIndex(scope, offset);
  if (index < scope.count && segmentAt(scope, index).offset < offset) {
    split(scope, index, offset);
    index++;
  }
  let stop = index;
  while (stop < scope.count && segmentAt(scope, stop).offset + segmentAt(scope, stop).length <= end) {
    stop++;
  }
  if (stop < scope.count && segmentAt(scope, stop).offset < end) split(scope, stop++, end);
  shift(scope, stop, index + u32(node != 0));
  if (node) {
    const segment = segmentAt(scope, index);
    segment.offset = offset;
    segment.length = length;
    segment.start = 0;
    segment.node = node;
  }
  if (end > scope.length) scope.length = end;
  return true;
}

/** Cuts a segment in two at `offset`, which lies inside of it. */
function split(scope: Node, index: u32, offset: u64): void {
  shift(scope, index, index + 1);
  const first = segmentAt(scope, index);
  const second = segmentAt(scope, index + 1);
  const length = offset - first.offset;
  second.offset = offset;
  second.length = first.length - length;
  second.start = first.start + length;
  second.node = first.node;
  first.length = length;
}

/** Moves the segments from index `from` on to index `to`. */
function shift(scope: Node, from: u32, to: u32): void {
  const bytes = (scope.count - from) * SEGMENT_BYTES;
  const pointer = scope.pointer;
  memory.copy(pointer + to * SEGMENT_BYTES, pointer + from * SEGMENT_BYTES, bytes);
  scope.count += to - from;
}

/** Makes sure that `count` more segments fit. */
function makeRoom(scope: Node, count: u32): bool {
  if (scope.count + count <= scope.capacity) return true;
  const capacity = scope.capacity ? scope.capacity * 2 : 4;
  if (capacity > SEGMENTS_MAX) return false;
  const pointer = alloc(capacity * SEGMENT_BYTES, 8);
  if (!pointer) return false;
  if (scope.pointer) {
    memory.copy(pointer, scope.pointer, scope.count * SEGMENT_BYTES);
    free(scope.pointer, scope.capacity * SEGMENT_BYTES);
  }
  scope.pointer = pointer;
  scope.capacity = capacity;
  return true;
}
