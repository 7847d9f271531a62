// SPDX-License-Identifier: MIT
// What a disk below a filter holds while the filter is checked: bytes, what of them is allocated, and
// what of them would survive a power failure. Several devices may show the same disk.

import type { Random } from "./random.ts";

/** What is allocated, and what is durable, is kept in blocks of so many bytes. */
export const MODEL_BLOCK = 4096;

/** See the top of this file. */
export class ModelDisk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where `bytes` lies in this process. */
  readonly address: number;
  /** 1 for each block that is allocated. */
  readonly allocated: Uint8Array;
  /** 1 for each block that a power failure would take back to what is in `#durable`. */
  readonly #volatile: Uint8Array;
  readonly #durable: Uint8Array;

  /** A disk of `size` bytes that holds `contents` from its start on. */
  constructor(size: number, contents: Uint8Array = new Uint8Array()) {
    this.bytes = new Uint8Array(size);
    this.bytes.set(contents.subarray(0, size));
    this.address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.bytes)));
    const blocks = Math.ceil(size / MODEL_BLOCK);
    this.allocated = new Uint8Array(blocks);
    this.#volatile = new Uint8Array(blocks);
    this.#durable = this.bytes.slice();
    for (let block = 0; block < blocks; block++) {
      const from = block * MODEL_BLOCK;
      const used = this.bytes.subarray(from, from + MODEL_BLOCK).some((byte) => byte !== 0);
      this.allocated[block] = used ? 1 : 0;
    }
  }

  /** Whether a power failure would lose something. */
  get hasVolatile(): boolean {
    return this.#volatile.includes(1);
  }

  /** Marks a range as changed. */
  changed(offset: number, length: number, durable: boolean): void {
    if (durable) this.#durable.set(this.bytes.subarray(offset, offset + length), offset);
    if (length === 0 || durable) return;
    this.#volatile.fill(1, Math.floor(offset / MODEL_BLOCK), lastBlock(offset, length) + 1);
  }

  flush(): void {
    this.#durable.set(this.bytes);
    this.#volatile.fill(0);
  }

  /** Another disk that holds what this one does, or would after a power failure. */
  copy(afterPowerFailure: boolean): ModelDisk {
    return new ModelDisk(this.bytes.length, afterPowerFailure ? this.#durable : this.bytes);
  }

  write(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
    this.allocated.fill(1, Math.floor(offset / MODEL_BLOCK), lastBlock(offset, data.length) + 1);
  }

  /** Makes a range zero; whole blocks of it become a hole where `hole`. */
  zero(offset: number, length: number, hole: boolean): void {
    this.bytes.fill(0, offset, offset + length);
    const { first, end } = this.#wholeBlocks(offset, length);
    if (hole && first < end) this.allocated.fill(0, first, end);
    if (!hole) {
      const start = Math.floor(offset / MODEL_BLOCK);
      this.allocated.fill(1, start, lastBlock(offset, length) + 1);
    }
  }

  /** Forgets a range: a disk may then hold anything there, and this one does, half of the time. */
  trim(offset: number, length: number, random: Random): void {
    if (random.oneIn(2)) return this.zero(offset, length, true);
    this.bytes.fill(0xd5, offset, offset + length);
    this.allocated.fill(1, Math.floor(offset / MODEL_BLOCK), lastBlock(offset, length) + 1);
  }

  #wholeBlocks(offset: number, length: number): { first: number; end: number } {
    const end = offset + length;
    const reachesEnd = end === this.bytes.length;
    return {
      first: Math.ceil(offset / MODEL_BLOCK),
      end: reachesEnd ? this.allocated.length : Math.floor(end / MODEL_BLOCK),
    };
  }
}

function lastBlock(offset: number, length: number): number {
  return Math.floor((offset + Math.max(length, 1) - 1) / MODEL_BLOCK);
}
