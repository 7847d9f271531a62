// SPDX-License-Identifier: MIT
// Strings, with the escapes of C.

import { addByte, beginLiteral, endLiteral } from "./expression";
import { advance, at, atEnd, digit, error, peek, skip } from "./lexer";

/** Reads a string up to its closing quote. */
export function parseString(start: usize): bool {
  beginLiteral();
  while (!skip(0x22)) {
    if (atEnd()) return error(start, "this string is not closed");
    const character = peek();
    advance(1);
    if (character == 0x5c) {
      if (!parseEscape()) return false;
    } else {
      addByte(character);
    }
  }
  return endLiteral();
}

/** Reads what comes after a backslash in a string, as in C. */
function parseEscape(): bool {
  const start = at - 1;
  const character = peek();
  let byte: u32 = 256;
  if (digit(character) < 8) {
    byte = 0;
    for (let i = 0; i < 3 && digit(peek()) < 8; i++) {
      byte = byte * 8 + digit(peek());
      advance(1);
    }
    if (byte > 255) return error(start, "a byte is at most \\377");
  } else {
    advance(1);
    if (character == 0x22 || character == 0x27 || character == 0x5c) byte = character;
    else if (character == 0x61) byte = 0x07; // a
    else if (character == 0x62) byte = 0x08; // b
    else if (character == 0x65) byte = 0x1b; // e
    else if (character == 0x66) byte = 0x0c; // f
    else if (character == 0x6e) byte = 0x0a; // n
    else if (character == 0x72) byte = 0x0d; // r
    else if (character == 0x74) byte = 0x09; // t
    else if (character == 0x76) byte = 0x0b; // v
    else if (character == 0x78 && digit(peek()) < 16 && digit(peek(1)) < 16) { // x
      byte = <u32>digit(peek()) * 16 + digit(peek(1));
      advance(2);
    }
    if (byte > 255) return error(start, "unknown escape; there are \\n \\t \\xHH \\OOO as in C");
  }
  addByte(<u8>byte);
  return true;
}
