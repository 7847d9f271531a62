// SPDX-License-Identifier: MIT
// Reads the primitives of the WebAssembly binary format: bytes, LEB128 integers, names. Whatever is
// cut short or out of range throws PluginError with the position, so callers need no checks.

import { PluginError } from "../errors.ts";
import { isValueType } from "./format.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A position in a module that moves forward. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Throws the PluginError for a module that is damaged here. */
  fail(fact: string): never {
    throw new PluginError(`not a valid WebAssembly module: ${fact} at byte ${this.at}`);
  }

  byte(): number {
    if (this.at >= this.end) this.fail("it ends too early");
    return this.bytes[this.at++]!;
  }

  /** Moves on by `length` bytes and returns where they began. */
  skip(length: number): number {
    if (length > this.end - this.at) this.fail("it ends too early");
    const start = this.at;
    this.at += length;
    return start;
  }

  /** An unsigned LEB128 integer below 2^32. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) this.fail("a number is too large");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.fail("a number is too long");
  }

  /** An unsigned LEB128 integer below 2^64 as a number; exact below 2^53. */
  u64(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.fail("a number is too long");
  }

  /** Moves past a LEB128 integer of up to `bytesMax` bytes. */
  skipLeb(bytesMax: number): void {
    for (let count = 0; count < bytesMax; count++) {
      if (this.byte() < 0x80) return;
    }
    this.fail("a number is too long");
  }

  /** A length-prefixed UTF-8 string. */
  name(): string {
    const length = this.u32();
    const start = this.skip(length);
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      this.fail("a name is not UTF-8");
    }
  }

  /** A value type; throws PluginError for one that sandblock does not know. */
  valueType(): number {
    const type = this.byte();
    if (isValueType(type)) return type;
    throw new PluginError(
      `it uses the value type 0x${type.toString(16)}, which sandblock does not know`,
    );
  }

  /** The count before a vector, each element of which takes at least `elementBytes`. */
  count(elementBytes = 1): number {
    const count = this.u32();
    if (count * elementBytes > this.end - this.at) this.fail("a list is longer than its section");
    return count;
  }

  /** Throws unless everything has been read. */
  finish(what: string): void {
    if (this.at !== this.end) this.fail(`${what} is longer than its contents`);
  }
}
