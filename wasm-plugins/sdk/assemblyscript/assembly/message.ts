// SPDX-License-Identifier: MIT
// Sentences for people: why a call fails, what to log. Built in a fixed buffer, in UTF-8, without
// the AssemblyScript runtime; what does not fit is cut off.

import { errorText, log } from "./host";

/** The longest message in bytes. */
const CAPACITY: usize = 1024;
const buffer = memory.data(1024);
let length: usize = 0;

/** Adds text. Cut to whole characters where it does not fit. */
export function say(text: string): void {
  let units = text.length;
  // At most three bytes for each UTF-16 unit.
  const room = <i32>((CAPACITY - length) / 3);
  if (units > room) units = room;
  length += String.UTF8.encodeUnsafe(changetype<usize>(text), units, buffer + length);
}

/** Adds a number in decimal. */
export function sayNumber(value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor; divisor /= 10) sayByte(<u8>(0x30 + value / divisor % 10));
}

/** Adds bytes that are UTF-8 already. */
export function sayBytes(pointer: usize, count: usize): void {
  count = min(count, CAPACITY - length);
  memory.copy(buffer + length, pointer, count);
  length += count;
}

/** Adds one ASCII character. */
export function sayByte(character: u8): void {
  if (length == CAPACITY) return;
  store<u8>(buffer + length, character);
  length++;
}

/** Ends the message as the reason for a failure: `return fail(Errno.EIO);`. */
export function fail(errno: i32): i32 {
  errorText(buffer, length);
  length = 0;
  return errno;
}

/** Fails with a reason that needs no numbers. */
export function failWith(errno: i32, text: string): i32 {
  say(text);
  return fail(errno);
}

/** Ends the message as a line for the log. */
export function logLine(level: i32): void {
  log(level, buffer, length);
  length = 0;
}

/** Adds a number in hexadecimal, with 0x in front. */
export function sayHex(value: u64): void {
  sayByte(0x30);
  sayByte(0x78);
  let shift = value ? (63 - <i32>clz(value)) & ~3 : 0;
  for (; shift >= 0; shift -= 4) {
    const digit = <u8>(value >> shift & 15);
    sayByte(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

/** Adds a number in decimal with zeroes in front, as many digits as said. */
export function sayPadded(value: u64, digits: i32): void {
  let divisor: u64 = 1;
  for (let i = 1; i < digits; i++) divisor *= 10;
  for (; divisor; divisor /= 10) sayByte(<u8>(0x30 + value / divisor % 10));
}

/** Ends the message as bytes for the plugin itself: copies what fits, and returns how much that is. */
export function takeMessage(pointer: usize, capacity: usize): usize {
  const count = min(length, capacity);
  memory.copy(pointer, buffer, count);
  length = 0;
  return count;
}
