// SPDX-License-Identifier: MIT
// Writes the primitives of the WebAssembly binary format into a buffer that grows.

const encoder = new TextEncoder();

/** A growing sequence of bytes. All methods return the writer, so that calls can be chained. */
export class ByteWriter {
  length = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** The bytes so far; a view that further writing may leave behind. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  byte(...values: number[]): this {
    this.#reserve(values.length);
    for (const value of values) this.#bytes[this.length++] = value;
    return this;
  }

  /** An unsigned LEB128 integer, 0 to 2^53. */
  u32(value: number): this {
    this.#reserve(8);
    while (value >= 0x80) {
      this.#bytes[this.length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.length++] = value;
    return this;
  }

  /** A signed LEB128 integer, -2^31 to 2^31-1. */
  s32(value: number): this {
    this.#reserve(5);
    for (;;) {
      const low = value & 0x7f;
      value >>= 7;
      const last = (value === 0 && low < 0x40) || (value === -1 && low >= 0x40);
      this.#bytes[this.length++] = last ? low : low | 0x80;
      if (last) return this;
    }
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** A length-prefixed UTF-8 string. */
  name(text: string): this {
    return this.sized(encoder.encode(text));
  }

  /** `bytes` after their length. */
  sized(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** A section with `content`. */
  section(id: number, content: Uint8Array): this {
    return this.byte(id).sized(content);
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.written);
    this.#bytes = larger;
  }
}
