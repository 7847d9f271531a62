// SPDX-License-Identifier: MIT
// The text of a description: where the parser is in it, numbers, and errors that say where.

import { Errno, fail, say, sayByte, sayBytes, sayNumber } from "../../sdk/assemblyscript/assembly";

/** Bytes of the text that an error shows. */
const SHOWN: usize = 16;

let text: usize = 0;
let textEnd: usize = 0;
/** Address of the next character. */
export let at: usize = 0;
/** The number that `number` read. */
export let value: u64 = 0;

export function setText(pointer: usize, length: usize): void {
  text = pointer;
  textEnd = pointer + length;
  at = pointer;
}

export function atEnd(): bool {
  return at >= textEnd;
}

/** The character `ahead` of the next one; 0 behind the end. */
export function peek(ahead: usize = 0): u8 {
  return at + ahead < textEnd ? load<u8>(at + ahead) : 0;
}

export function advance(count: usize): void {
  at += count;
}

/** Skips a character if it is the next one. */
export function skip(character: u8): bool {
  if (atEnd() || load<u8>(at) != character) return false;
  at++;
  return true;
}

/** Skips white space and comments. */
export function skipBlanks(): void {
  while (!atEnd()) {
    const character = load<u8>(at);
    if (character == 0x23) { // #
      while (!atEnd() && load<u8>(at) != 0x0a) at++;
    } else if (character == 0x20 || (character >= 0x09 && character <= 0x0d)) {
      at++;
    } else {
      return;
    }
  }
}

/** Skips `word`, in ASCII, if the text goes on with it. */
export function skipWord(word: string): bool {
  const length = <usize>word.length;
  for (let i: usize = 0; i < length; i++) {
    if (peek(i) != <u8>word.charCodeAt(<i32>i)) return false;
  }
  at += length;
  return true;
}

/** Sets what `value` is. */
export function setValue(to: u64): void {
  value = to;
}

/** Value of a digit to any base up to 16; 255 where it is none. */
export function digit(character: u8): u8 {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : 255;
}

/** Reads a number, decimal, 0x hexadecimal or 0 octal, into `value`. False: an error was said. */
export function number(): bool {
  let base: u64 = 10;
  const start = at;
  if (peek() == 0x30 && (peek(1) | 0x20) == 0x78) { // 0x
    base = 16;
    at += 2;
  } else if (peek() == 0x30) {
    base = 8;
  }
  if (digit(peek()) >= base) return unexpected("a number");
  value = 0;
  for (; digit(peek()) < 10 || (base == 16 && digit(peek()) < 16); at++) {
    const next = <u64>digit(peek());
    if (next >= base) return error(at, "this is no octal digit; numbers with a leading 0 are octal");
    if (value > (u64.MAX_VALUE - next) / base) return error(start, "the number is above 2^64-1");
    value = value * base + next;
  }
  return true;
}

/** Like `number`, and a decimal one may have a suffix: K M G T P E, powers of 1024. */
export function size(): bool {
  const start = at;
  if (!number()) return false;
  if (load<u8>(start) == 0x30 && at > start + 1) return true;
  let power: u64 = 0;
  const letter = peek() & 0xdf;
  if (letter == 0x4b) power = 10; // K
  else if (letter == 0x4d) power = 20; // M
  else if (letter == 0x47) power = 30; // G
  else if (letter == 0x54) power = 40; // T
  else if (letter == 0x50) power = 50; // P
  else if (letter == 0x45) power = 60; // E
  if (!power) return true;
  at++;
  if (value > u64.MAX_VALUE >> power) return error(start, "the number is above 2^64-1");
  value <<= power;
  return true;
}

/** Says that something else should be here. Returns false. */
export function unexpected(wanted: string): bool {
  begin(at);
  if (atEnd()) {
    say("the text ends where there should be ");
  } else {
    say("there should be ");
  }
  say(wanted);
  return end(at);
}

/** Says what is wrong at `position`. Returns false. */
export function error(position: usize, what: string): bool {
  begin(position);
  say(what);
  return end(position);
}

/** Starts a message of several parts about `position`; `end` ends it. */
export function begin(position: usize): void {
  say("cannot parse the data at byte ");
  sayNumber(position - text);
  say(": ");
}

/** Ends a message with some of the text at `position`. Returns false. */
export function end(position: usize): bool {
  if (position < textEnd) {
    let shown = min(textEnd - position, SHOWN);
    // Not in the middle of a character of UTF-8.
    while (position + shown < textEnd && (load<u8>(position + shown) & 0xc0) == 0x80) shown++;
    say("; the text goes on with \"");
    sayBytes(position, shown);
    sayByte(0x22);
  }
  fail(Errno.EINVAL);
  return false;
}
