// SPDX-License-Identifier: MIT
// Reading and writing big-endian messages of the handshake. Not for the data path.

/** Writes fields one after the other. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u16(value: number): this {
    this.#room(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** 64 bits as halves (see core/block/uint64.ts). */
  halves(high: number, low: number): this {
    return this.u32(high).u32(low);
  }

  u64(value: bigint): this {
    this.#room(8);
    this.#view.setBigUint64(this.#length, value);
    this.#length += 8;
    return this;
  }

  bytes(data: Uint8Array): this {
    this.#room(data.length);
    this.#bytes.set(data, this.#length);
    this.#length += data.length;
    return this;
  }

  zeroes(length: number): this {
    this.#room(length);
    this.#length += length;
    return this;
  }

  /** What was written; the writer must not be used after that. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

const NOTHING = new Uint8Array(0);

/** Reads fields one after the other. Reading beyond the end gives 0 and sets `failed`. */
export class ByteReader {
  /** Whether something was read that is not there. */
  failed = false;
  /** All of the bytes. */
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u16(): number {
    return this.#take(2) ? this.view.getUint16(this.#at - 2) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.view.getUint32(this.#at - 4) : 0;
  }

  u64(): bigint {
    return this.#take(8) ? this.view.getBigUint64(this.#at - 8) : 0n;
  }

  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : NOTHING;
  }

  #take(length: number): boolean {
    if (this.failed || length > this.left) {
      this.failed = true;
      return false;
    }
    this.#at += length;
    return true;
  }
}

/** Bytes that came in and wait until enough of them are there. */
export class ByteQueue {
  #bytes = new Uint8Array(256);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  push(data: Uint8Array): void {
    const length = this.length;
    if (this.#end + data.length > this.#bytes.length) {
      const target = length + data.length <= this.#bytes.length / 2
        ? this.#bytes
        : new Uint8Array((length + data.length) * 2);
      target.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = target;
      this.#start = 0;
      this.#end = length;
    }
    this.#bytes.set(data, this.#end);
    this.#end += data.length;
  }

  /** A reader of the next `length` bytes, which stay queued; null where fewer are there. */
  peek(length: number): ByteReader | null {
    if (length > this.length) return null;
    return new ByteReader(this.#bytes.subarray(this.#start, this.#start + length));
  }

  /** A copy of the next `length` bytes, which leave the queue; they must be there. */
  take(length: number): Uint8Array {
    const from = this.#start;
    this.skip(length);
    return this.#bytes.slice(from, from + length);
  }

  /** Drops the next `length` bytes; they must be there. */
  skip(length: number): void {
    if (length > this.length) throw new RangeError("Not so many bytes are queued");
    this.#start += length;
  }
}
