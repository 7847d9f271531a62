// SPDX-License-Identifier: MIT
// Reads values of parameters that have a form of their own, byte by byte, from left to right.

let at: usize = 0;
let limit: usize = 0;

/** Begins to read a text. */
export function readText(pointer: usize, length: usize): void {
  at = pointer;
  limit = pointer + length;
}

/** Whether all of it was read. */
export function atEnd(): bool {
  return at == limit;
}

/** The byte that comes next; 0 at the end. */
export function peekByte(): u8 {
  return at < limit ? load<u8>(at) : 0;
}

/** Reads `byte` if it comes next. */
export function takeByte(byte: u8): bool {
  if (peekByte() != byte || at == limit) return false;
  at++;
  return true;
}

/** Reads a word of ASCII if it comes next. */
export function takeWord(word: string): bool {
  const length = <usize>word.length;
  if (limit - at < length) return false;
  for (let i: usize = 0; i < length; i++) {
    if (load<u8>(at + i) != <u8>word.charCodeAt(<i32>i)) return false;
  }
  at += length;
  return true;
}

/** Where the rest of the text is, for what looks at it by itself. */
export function restPointer(): usize {
  return at;
}

/** How long the rest is. */
export function restLength(): usize {
  return limit - at;
}

/** Skips `count` bytes of the rest. */
export function skipBytes(count: usize): void {
  at += count;
}

function digitOf(byte: u8): u32 {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x66) return letter - 0x61 + 10;
  return 99;
}

/** Reads digits of a base up to 16. Returns -1 where there are none, or too many for 63 bits. */
export function takeDigits(base: u32): i64 {
  let value: u64 = 0;
  let count = 0;
  for (;; count++) {
    const digit = at < limit ? digitOf(load<u8>(at)) : 99;
    if (digit >= base) break;
    if (value > (<u64>i64.MAX_VALUE - digit) / base) return -1;
    value = value * base + digit;
    at++;
  }
  return count ? <i64>value : -1;
}

/** Reads a number: decimal, hexadecimal with 0x, octal with 0. -1 where there is none. */
export function takeNumber(): i64 {
  if (peekByte() != 0x30) return takeDigits(10);
  at++;
  if (takeByte(0x78) || takeByte(0x58)) return takeDigits(16);
  const digit = digitOf(peekByte());
  return at < limit && digit < 10 ? takeDigits(8) : 0;
}

/** Reads a number with one of the suffixes K M G T P E, powers of 1024, or s, sectors. -1: none. */
export function takeSize(): i64 {
  const value = takeNumber();
  if (value < 0) return -1;
  const letter = peekByte();
  if (letter == 0x73) {
    at++;
    return value > i64.MAX_VALUE >> 9 ? -1 : value << 9;
  }
  const power = powerOf(letter | 0x20);
  if (!power || at == limit) return value;
  at++;
  if (takeWord("iB") || takeByte(0x42)) { /* The unit may be written out. */ }
  return value > i64.MAX_VALUE >> (10 * power) ? -1 : value << (10 * power);
}

function powerOf(letter: u8): i64 {
  switch (letter) {
    case 0x6b:
      return 1;
    case 0x6d:
      return 2;
    case 0x67:
      return 3;
    case 0x74:
      return 4;
    case 0x70:
      return 5;
    case 0x65:
      return 6;
    default:
      return 0;
  }
}
