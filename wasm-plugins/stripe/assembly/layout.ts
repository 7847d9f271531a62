// SPDX-License-Identifier: MIT
// Where the bytes of a striped disk lie: what a range of the disk is on one device.

/** Bytes of a chunk, a power of two. */
export let chunk: u64 = 0;
let children: u64 = 0;

/** Says how the disk is spread. False for a chunk that is no power of two. */
export function setLayout(bytes: u64, count: i32): bool {
  chunk = bytes;
  children = count;
  return popcnt(bytes) == 1;
}

/** Where on `child` the first byte lies that is at `offset` or behind it on the disk. */
export function startOn(child: i32, offset: u64): u64 {
  const index = offset / chunk;
  const row = index / children;
  const first = <i32>(index % children);
  if (child < first) return (row + 1) * chunk;
  return row * chunk + (child == first ? offset & (chunk - 1) : 0);
}

/** How many bytes of the range of the disk lie on `child`: they follow on one another there. */
export function lengthOn(child: i32, offset: u64, count: u64): u64 {
  return startOn(child, offset + count) - startOn(child, offset);
}
