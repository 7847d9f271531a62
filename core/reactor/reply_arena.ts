// SPDX-License-Identifier: MIT
// Room for answers in a device's memory: handed out from the front of a block, taken back as a whole
// once every answer in it is sent. At rest the same block is filled again and again, so it stays in
// the processor's cache.

import type { PayloadMemory } from "../block/memory.ts";
import type { ReplySpace, Request } from "../block/request.ts";
import type { Block, BufferPool } from "./buffer_pool.ts";
import type { InflightRequest } from "./inflight_request.ts";

/** Answers are collected in blocks of this size; a larger one gets a block of its own. */
const ARENA_BLOCK_BYTES = 1024 * 1024;

/** See the top of this file. */
export class ReplyArena implements ReplySpace {
  readonly #pool: BufferPool;
  readonly #mask: number;
  #current: Block | null = null;

  /** `alignment`: a power of two that every address is a multiple of. */
  constructor(pool: BufferPool, alignment: number) {
    this.#pool = pool;
    this.#mask = alignment - 1;
  }

  get memory(): PayloadMemory {
    return this.#pool.memory;
  }

  take(request: Request, length: number): number {
    const bytes = (length + this.#mask) & ~this.#mask;
    let block = this.#current;
    if (block === null || block.used + bytes > block.size) {
      block = this.#next(bytes);
      if (block === null) return 0;
    }
    const address = this.#pool.memory.address + block.pointer + block.used;
    block.used += bytes;
    (request.root as InflightRequest).hold(block);
    return address;
  }

  /** Bytes that are kept ready although no answer lies in them. */
  get idleBytes(): number {
    const block = this.#current;
    return block !== null && block.references === 0 ? block.size : 0;
  }

  /** One answer in `block` has been sent. */
  release(block: Block): void {
    if (--block.references > 0) return;
    if (block === this.#current && block.size <= ARENA_BLOCK_BYTES) {
      block.used = 0;
      return;
    }
    if (block === this.#current) this.#current = null;
    this.#pool.give(block);
  }

  #next(bytes: number): Block | null {
    const wanted = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
    const next = this.#pool.take(wanted) ?? this.#pool.take(bytes);
    if (next === null) return null;
    const last = this.#current;
    this.#current = next;
    if (last !== null && last.references === 0) this.#pool.give(last);
    return next;
  }
}
