// SPDX-License-Identifier: MIT
// Work on many bytes: exclusive or, and checksums: CRC-32C (Castagnoli, as in RFC 3720) for superblocks, and
// XXH64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) for the journal, where its speed matters.

/** target ^= source. */
export function xorInto(target: usize, source: usize, length: usize): void {
  let at: usize = 0;
  for (; at + 32 <= length; at += 32) {
    store<u64>(target + at, load<u64>(target + at) ^ load<u64>(source + at));
    store<u64>(target + at, load<u64>(target + at, 8) ^ load<u64>(source + at, 8), 8);
    store<u64>(target + at, load<u64>(target + at, 16) ^ load<u64>(source + at, 16), 16);
    store<u64>(target + at, load<u64>(target + at, 24) ^ load<u64>(source + at, 24), 24);
  }
  for (; at < length; at++) store<u8>(target + at, load<u8>(target + at) ^ load<u8>(source + at));
}

const POLYNOMIAL: u32 = 0x82f63b78;

/** CRC-32C of some bytes. */
export function crc32c(pointer: usize, length: usize): u32 {
  let crc: u32 = 0xffffffff;
  for (let at: usize = 0; at < length; at++) {
    crc ^= load<u8>(pointer + at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
  }
  return ~crc;
}

const PRIME1: u64 = 0x9e3779b185ebca87;
const PRIME2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME3: u64 = 0x165667b19e3779f9;
const PRIME4: u64 = 0x85ebca77c2b2ae63;

// @ts-ignore: decorator
@inline
function round(lane: u64, input: u64): u64 {
  return rotl(lane + input * PRIME2, 31) * PRIME1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME1 + PRIME4;
}

/** XXH64, with the seed 0, of whole pieces of 32 bytes. */
export function xxh64(pointer: usize, length: usize): u64 {
  let a = PRIME1 + PRIME2;
  let b = PRIME2;
  let c: u64 = 0;
  let d: u64 = 0 - PRIME1;
  for (let at = pointer; at < pointer + length; at += 32) {
    a = round(a, load<u64>(at));
    b = round(b, load<u64>(at, 8));
    c = round(c, load<u64>(at, 16));
    d = round(d, load<u64>(at, 24));
  }
  let hash = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
  hash = merge(merge(merge(merge(hash, a), b), c), d) + length;
  hash = (hash ^ hash >> 33) * PRIME2;
  hash = (hash ^ hash >> 29) * PRIME3;
  return hash ^ hash >> 32;
}
