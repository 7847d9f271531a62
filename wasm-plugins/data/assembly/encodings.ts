// SPDX-License-Identifier: MIT
// Bytes out of text in base64 (RFC 4648, section 4) and hexadecimal.

import { Errno, fail, say, sayNumber } from "../../sdk/assemblyscript/assembly";
import { digit } from "./lexer";

/** Number of bytes that were decoded. */
export let decodedLength: usize = 0;

function isBlank(character: u8): bool {
  return character == 0x20 || (character >= 0x09 && character <= 0x0d);
}

function refuse(encoding: string, position: usize, fact: string): bool {
  say("cannot parse ");
  say(encoding);
  say(" at byte ");
  sayNumber(position);
  say(": ");
  say(fact);
  fail(Errno.EINVAL);
  return false;
}

/**
 * Decodes pairs of hexadecimal digits, with white space between them if need be, in their place.
 * False: an error was said.
 */
export function decodeHex(text: usize, length: usize): bool {
  decodedLength = 0;
  for (let i: usize = 0; i < length; i++) {
    const first = load<u8>(text + i);
    if (isBlank(first)) continue;
    if (digit(first) > 15) return refuse("hex", i, "this is no hexadecimal digit");
    i++;
    if (i == length || isBlank(load<u8>(text + i))) {
      return refuse("hex", i, "the second digit of a byte is missing");
    }
    const second = load<u8>(text + i);
    if (digit(second) > 15) return refuse("hex", i, "this is no hexadecimal digit");
    store<u8>(text + decodedLength++, digit(first) << 4 | digit(second));
  }
  return true;
}

/** Value of a character of base64; 255 where it is none. */
function sextet(character: u8): u8 {
  if (character >= 0x41 && character <= 0x5a) return character - 0x41; // A to Z
  if (character >= 0x61 && character <= 0x7a) return character - 0x61 + 26; // a to z
  if (character >= 0x30 && character <= 0x39) return character - 0x30 + 52; // 0 to 9
  if (character == 0x2b) return 62; // +
  return character == 0x2f ? 63 : 255; // /
}

/**
 * Decodes base64 in its place; white space does not count, and padding may be left out. False: an
 * error was said.
 */
export function decodeBase64(text: usize, length: usize): bool {
  decodedLength = 0;
  let bits: u32 = 0;
  /** Bits of `bits` that no byte has been made of yet. */
  let waiting: u32 = 0;
  let characters: usize = 0;
  let padding: usize = 0;
  for (let i: usize = 0; i < length; i++) {
    const character = load<u8>(text + i);
    if (isBlank(character)) continue;
    if (character == 0x3d) { // =
      padding++;
      continue;
    }
    const value = sextet(character);
    if (value > 63) return refuse("base64", i, "this is no character of base64");
    if (padding) return refuse("base64", i, "something follows the padding");
    characters++;
    bits = bits << 6 | value;
    waiting += 6;
    if (waiting >= 8) {
      waiting -= 8;
      store<u8>(text + decodedLength++, <u8>(bits >> waiting));
    }
  }
  const incomplete = characters % 4 == 1 || (padding && (padding > 2 || (characters + padding) % 4));
  return incomplete ? refuse("base64", length, "the last group is incomplete") : true;
}
