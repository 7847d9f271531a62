// SPDX-License-Identifier: MIT
// Work on many bytes: exclusive or, and CRC-32C (Castagnoli, as in RFC 3720) by eight tables.

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

const TABLE: usize = memory.data(8192, 8);
const POLYNOMIAL: u32 = 0x82f63b78;
let made = false;

function makeTables(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
    store<u32>(TABLE + (<usize>i << 2), value);
  }
  for (let k: usize = 1; k < 8; k++) {
    for (let i: usize = 0; i < 256; i++) {
      const before = load<u32>(TABLE + (k - 1 << 10) + (i << 2));
      store<u32>(TABLE + (k << 10) + (i << 2), before >> 8 ^ load<u32>(TABLE + (<usize>(before & 255) << 2)));
    }
  }
  made = true;
}

// @ts-ignore: decorator
@inline
function entry(table: usize, byte: u64): u32 {
  return load<u32>(TABLE + (table << 10) + (<usize>(byte & 255) << 2));
}

/** CRC-32C of the bytes. */
export function crc32c(pointer: usize, length: usize): u32 {
  if (!made) makeTables();
  let crc: u32 = 0xffffffff;
  let at: usize = 0;
  for (; at + 8 <= length; at += 8) {
    const word = load<u64>(pointer + at) ^ <u64>crc;
    crc = entry(7, word) ^ entry(6, word >> 8) ^ entry(5, word >> 16) ^ entry(4, word >> 24) ^
      entry(3, word >> 32) ^ entry(2, word >> 40) ^ entry(1, word >> 48) ^ entry(0, word >> 56);
  }
  for (; at < length; at++) crc = crc >> 8 ^ entry(0, <u64>(crc ^ load<u8>(pointer + at)));
  return ~crc;
}
