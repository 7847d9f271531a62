// SPDX-License-Identifier: MIT
// Blocks of a device's memory, lent to connections for what they receive and send. The sum of all
// blocks is bounded; sizes of usual blocks are powers of two, so that one given back fits the next
// who asks. Large ones have just the size that is needed and are not kept.

import type { PayloadMemory } from "../block/memory.ts";

/** The smallest block. */
const BLOCK_BYTES_MIN = 64 * 1024;
/** The largest block that is kept when it is given back. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** Blocks that lie idle keep at most so much memory; the rest goes back to the device. */
const IDLE_BYTES_MAX = 8 * 1024 * 1024;
/** Blocks begin on a page, so that a device may ask for any alignment up to that. */
const BLOCK_ALIGNMENT = 4096;
const CLASSES = 32;

/** A piece of a device's memory. */
export class Block {
  /** Bytes handed out from the front. */
  used = 0;
  /** Requests that still need what lies in it. */
  references = 0;

  constructor(readonly pointer: number, readonly size: number) {}
}

/** See the top of this file. */
export class BufferPool {
  readonly #idle: Block[][] = Array.from({ length: CLASSES }, () => []);
  #idleBytes = 0;
  #totalBytes = 0;

  /** At most `bytesMax` bytes are lent at a time. */
  constructor(readonly memory: PayloadMemory, readonly bytesMax: number) {}

  /** Bytes that are lent now. */
  get lentBytes(): number {
    return this.#totalBytes - this.#idleBytes;
  }

  /** A block of at least `bytes`; null when the bound or the device's memory is reached. */
  take(bytes: number): Block | null {
    const size = blockSize(bytes);
    if (size > KEPT_BYTES_MAX) return this.#allocate(size);
    const block = this.#idle[Math.clz32(size)]!.pop();
    if (block === undefined) return this.#allocate(size);
    this.#idleBytes -= size;
    block.used = 0;
    block.references = 0;
    return block;
  }

  /** Takes back a block that nobody refers to. */
  give(block: Block): void {
    const isKept = block.size <= KEPT_BYTES_MAX &&
      this.#idleBytes + block.size <= IDLE_BYTES_MAX;
    if (!isKept) return this.#release(block);
    this.#idle[Math.clz32(block.size)]!.push(block);
    this.#idleBytes += block.size;
  }

  /** Gives all idle blocks back to the device. */
  trim(): void {
    for (const blocks of this.#idle) {
      for (let block = blocks.pop(); block; block = blocks.pop()) {
        this.#idleBytes -= block.size;
        this.#release(block);
      }
    }
  }

  #allocate(size: number): Block | null {
    if (this.#totalBytes + size > this.bytesMax) this.trim();
    if (this.#totalBytes + size > this.bytesMax) return null;
    const pointer = this.memory.allocate(size, BLOCK_ALIGNMENT);
    if (pointer === 0) return null;
    this.#totalBytes += size;
    return new Block(pointer, size);
  }

  #release(block: Block): void {
    this.#totalBytes -= block.size;
    this.memory.free(block.pointer, block.size, BLOCK_ALIGNMENT);
  }
}

function blockSize(bytes: number): number {
  if (bytes <= BLOCK_BYTES_MIN) return BLOCK_BYTES_MIN;
  if (bytes > KEPT_BYTES_MAX) return Math.ceil(bytes / BLOCK_BYTES_MIN) * BLOCK_BYTES_MIN;
  return 2 ** (32 - Math.clz32(bytes - 1));
}
