// SPDX-License-Identifier: MIT
// Room in which one stream after the other is made, without allocation per field.

/** See the top of this file. What does not fit is left out: streams have a greatest length. */
export class ByteBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Whether `length` more bytes fit. */
  fits(length: number): boolean {
    return this.length + length <= this.bytes.length;
  }

  u16(value: number): void {
    this.view.setUint16(this.length, value);
    this.length += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  append(data: Uint8Array): void {
    this.bytes.set(data, this.length);
    this.length += data.length;
  }
}
