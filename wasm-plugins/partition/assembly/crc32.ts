// SPDX-License-Identifier: MIT
// CRC-32 of IEEE 802.3, as the headers of a GPT have it (UEFI 2.10, 5.3.2).

const POLYNOMIAL: u32 = 0xedb88320;

/** Goes on with a checksum; begin with 0. */
export function crc32(before: u32, pointer: usize, length: usize): u32 {
  let crc = ~before;
  for (let i: usize = 0; i < length; i++) {
    crc ^= load<u8>(pointer + i);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
  }
  return ~crc;
}
