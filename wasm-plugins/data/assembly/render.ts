// SPDX-License-Identifier: MIT
// Reads a rope (rope.ts): what its bytes are, and where it has runs of zeroes.

import { HOLE_MIN, Kind, Node, Segment, segmentAt, segmentIndex } from "./rope";

/** Steps that one `scan` takes at most. Where that is not enough, it finds less than there is. */
const STEPS_MAX: u32 = 1024;

/** What `scan` found: whether there is data, and where that ends. */
export let runIsData = false;
export let runEnd: u64 = 0;

/** Writes bytes `at` to `at` + `length` of a node to `target`; there are zeroes behind its end. */
export function render(address: usize, at: u64, length: usize, target: usize): void {
  if (!address) {
    memory.fill(target, 0, length);
    return;
  }
  const node = changetype<Node>(address);
  if (node.kind == Kind.Literal) memory.copy(target, node.pointer + <usize>at, length);
  else if (node.kind == Kind.Repeat) renderRepeat(node, at, length, target);
  else renderScope(node, at, length, target);
}

function renderRepeat(node: Node, at: u64, length: usize, target: usize): void {
  const inside = at % node.period;
  const first = <usize>min(node.period - inside, <u64>length);
  render(node.pointer, inside, first, target);
  length -= first;
  target += first;
  let done = <usize>min(node.period, <u64>length);
  if (!done) return;
  render(node.pointer, 0, done, target);
  // What is there is copied behind itself, twice as much each time.
  while (done < length) {
    const more = min(done, length - done);
    memory.copy(target + done, target, more);
    done += more;
  }
}

function renderScope(node: Node, at: u64, length: usize, target: usize): void {
  const end = at + length;
  for (let index = segmentIndex(node, at); at < end; index++) {
    const segment = index < node.count ? segmentAt(node, index) : changetype<Segment>(0);
    const next = changetype<usize>(segment) ? min(segment.offset, end) : end;
    if (at < next) {
      memory.fill(target, 0, <usize>(next - at));
      target += <usize>(next - at);
      at = next;
    }
    if (at == end) return;
    const inside = at - segment.offset;
    const bytes = min(segment.length - inside, end - at);
    render(segment.node, segment.start + inside, <usize>bytes, target);
    target += <usize>bytes;
    at += bytes;
  }
}

/** How many of the bytes from `at` to `end` of a node are known to be zeroes. */
function zeroRun(address: usize, at: u64, end: u64): u64 {
  if (!address) return end - at;
  const node = changetype<Node>(address);
  if (node.kind == Kind.Literal) return 0;
  if (node.kind == Kind.Repeat) {
    const inside = at % node.period;
    return zeroRun(node.pointer, inside, min(node.period, inside + end - at));
  }
  const index = segmentIndex(node, at);
  if (index == node.count) return end - at;
  const segment = segmentAt(node, index);
  if (segment.offset > at) return min(segment.offset, end) - at;
  const inside = segment.start + at - segment.offset;
  return zeroRun(segment.node, inside, inside + min(segment.offset + segment.length, end) - at);
}

/** How many of the bytes from `at` to `end` are to be taken as data, where `zeroRun` says 0. */
function dataRun(address: usize, at: u64, end: u64): u64 {
  const node = changetype<Node>(address);
  if (node.dense) return end - at;
  if (node.kind == Kind.Repeat) {
    const inside = at % node.period;
    return dataRun(node.pointer, inside, min(node.period, inside + end - at));
  }
  const segment = segmentAt(node, segmentIndex(node, at));
  const inside = segment.start + at - segment.offset;
  return dataRun(segment.node, inside, inside + min(segment.offset + segment.length, end) - at);
}

/** Looks whether there is data or a run of zeroes at `at`, and how far it goes, at most to `end`. */
export function scan(root: usize, at: u64, end: u64): void {
  runEnd = at + zeroes(root, at, end);
  runIsData = runEnd < end && runEnd - at < HOLE_MIN;
  if (!runIsData) return;
  for (let steps: u32 = 0; runEnd < end && steps < STEPS_MAX; steps++) {
    runEnd += dataRun(root, runEnd, end);
    const run = zeroes(root, runEnd, end);
    if (run >= HOLE_MIN) return;
    runEnd += run;
  }
}

/** Zeroes from `at` on, over the ends of nodes. */
function zeroes(root: usize, at: u64, end: u64): u64 {
  let zero = at;
  for (let steps: u32 = 0; zero < end && steps < STEPS_MAX; steps++) {
    const run = zeroRun(root, zero, end);
    if (!run) break;
    zero += run;
  }
  return zero - at;
}
