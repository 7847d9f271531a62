// SPDX-License-Identifier: MIT
// Random numbers that can be had in any order: number n of the sequence of SplitMix64 (Steele, Lea,
// Flood: Fast Splittable Pseudorandom Number Generators, 2014) is a function of n and its seed.
// Good statistically; not for secrets.

/** The step of SplitMix64's state: 2^64 divided by the golden ratio, made odd. */
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/** Mixes all bits with all others; one to one. */
export function scramble(value: u64): u64 {
  value = (value ^ (value >> 30)) * 0xbf58_476d_1ce4_e5b9;
  value = (value ^ (value >> 27)) * 0x94d0_49bb_1331_11eb;
  return value ^ (value >> 31);
}

/** Number `index` of the sequence that begins at `key`. */
// @ts-ignore: decorator
@inline
export function randomAt(key: u64, index: u64): u64 {
  return scramble(key + (index + 1) * GAMMA);
}

/** Puts `count` random bytes of `key` at `pointer`: 8 bytes at 8n are number n, little-endian. */
export function fillRandom(pointer: usize, count: usize, offset: u64, key: u64): void {
  const end = pointer + count;
  while (pointer < end && offset & 7) store<u8>(pointer++, byteAt(key, offset++));
  for (let index = offset >> 3; pointer + 8 <= end; pointer += 8) {
    store<u64>(pointer, randomAt(key, index++));
    offset += 8;
  }
  while (pointer < end) store<u8>(pointer++, byteAt(key, offset++));
}

function byteAt(key: u64, offset: u64): u8 {
  return <u8>(randomAt(key, offset >> 3) >> ((offset & 7) << 3));
}
