// SPDX-License-Identifier: MIT
// What one connection has received and not yet processed, in a block of the device's memory so that
// payloads lie where the device wants them. An idle connection holds no block at all.

import { libc } from "../../native/libc.ts";
import type { Block, BufferPool } from "./buffer_pool.ts";

/** Room for 64 writes of 4 KiB with their headers in one go. */
const RECEIVE_BLOCK_BYTES = 512 * 1024;
/** From so many missing bytes on, a payload is received to its end and no further than a header. */
const LARGE_REMAINDER_BYTES = 64 * 1024;
/** An incomplete header waits outside of the device's memory; none is longer. */
const STASH_BYTES = 32;
const HIGH = 4294967296;

/** Two of struct iovec: address, length, each in two halves. */
const iovec = new Uint32Array(8);
const iovecBytes = new Uint8Array(iovec.buffer);

/** `ReceiveBuffer.receive` has no room: the bound on memory is reached. */
export const NO_ROOM = -2;

/** See the top of this file. */
export class ReceiveBuffer {
  readonly #pool: BufferPool;
  #block: Block | null = null;
  #start = 0;
  #end = 0;
  #stash: Uint8Array | null = null;
  #stashed = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** The block; only while `length` > 0. */
  get block(): Block {
    return this.#block!;
  }

  /** Bytes that wait to be processed. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Bytes that wait, those set aside by `rest` included. */
  get heldBytes(): number {
    return this.#end - this.#start + this.#stashed;
  }

  /** Pointer to the first of them in the device's memory. */
  get pointer(): number {
    return this.#block!.pointer + this.#start;
  }

  /** Bytes of device memory that are held between turns. */
  get blockBytes(): number {
    return this.#block === null ? 0 : this.#block.size;
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /** Puts bytes in that were received elsewhere. False when there is no room. */
  preload(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    if (!this.#prepare(bytes.length)) return false;
    this.#pool.memory.bytes.set(bytes, this.#block!.pointer + this.#end);
    this.#end += bytes.length;
    return true;
  }

  /**
   * Receives what is there. `needed`: bytes that the request at the front has in all, 0 when that
   * is not known; `header`: length of a request header. Returns the bytes received, 0 at the end of
   * the stream, -1 with errno, or NO_ROOM.
   */
  receive(fd: number, needed: number, header: number): number {
    if (!this.#prepare(needed)) return NO_ROOM;
    const block = this.#block!;
    let room = block.size - this.#end;
    const missing = needed - (this.#end - this.#start);
    // Ending at a request boundary leaves only a header to move, not half a payload.
    if (missing >= LARGE_REMAINDER_BYTES && missing + header < room) room = missing + header;
    const address = this.#pool.memory.address + block.pointer + this.#end;
    iovec[0] = address;
    iovec[1] = address / HIGH;
    iovec[2] = room;
    const received = libc.readv(fd, iovecBytes, 1);
    if (received > 0) this.#end += received;
    return received;
  }

  /**
   * Receives what is there, `length` bytes of it at `address` and after those at most `header` bytes as
   * usual. Only while nothing waits. Returns the same as `receive`.
   */
  receiveAt(fd: number, address: number, length: number, header: number): number {
    if (header > 0 && !this.#prepare(header)) return NO_ROOM;
    iovec[0] = address;
    iovec[1] = address / HIGH;
    iovec[2] = length;
    if (header > 0) {
      const behind = this.#pool.memory.address + this.#block!.pointer + this.#end;
      iovec[4] = behind;
      iovec[5] = behind / HIGH;
      iovec[6] = header;
    }
    const received = libc.readv(fd, iovecBytes, header > 0 ? 2 : 1);
    if (received > length) this.#end += received - length;
    return received;
  }

  /** The end of a turn: gives up the block unless a whole header of `header` bytes is in it. */
  rest(header: number): void {
    const block = this.#block;
    if (block === null) return;
    const left = this.#end - this.#start;
    if (left >= header) return;
    if (left > 0) {
      this.#stash ??= new Uint8Array(STASH_BYTES);
      const from = block.pointer + this.#start;
      this.#stash.set(this.#pool.memory.bytes.subarray(from, from + left));
    }
    this.#stashed = left;
    this.#drop();
  }

  /** The client pauses within a request of `needed` bytes: keeps no more memory than needed. */
  shrink(needed: number): void {
    const block = this.#block;
    if (block === null || block.references > 0) return;
    const left = this.#end - this.#start;
    // Whole requests may be waiting as well, and then there is more than one of them needs.
    const kept = Math.max(needed, left);
    if (2 * kept > block.size) return;
    const smaller = this.#pool.take(kept);
    if (smaller !== null) this.#move(smaller, left);
  }

  /** A pending write no longer needs its payload. */
  unpin(block: Block): void {
    if (--block.references === 0 && block !== this.#block) this.#pool.give(block);
  }

  /** Gives up everything. */
  close(): void {
    this.#stashed = 0;
    if (this.#block !== null) this.#drop();
  }

  /** Sees to it that there is a block in which `needed` bytes from the front on have room. */
  #prepare(needed: number): boolean {
    const left = this.#end - this.#start;
    const block = this.#block;
    if (block !== null) {
      if (left === 0 && block.references === 0) this.#start = this.#end = 0;
      const enough = needed === 0 ? this.#end < block.size : this.#start + needed <= block.size;
      if (enough) return true;
      if (block.references === 0 && needed <= block.size && this.#start > 0) {
        this.#pool.memory.bytes.copyWithin(
          block.pointer,
          block.pointer + this.#start,
          block.pointer + this.#end,
        );
        this.#start = 0;
        this.#end = left;
        return true;
      }
    }
    return this.#replace(needed);
  }

  #replace(needed: number): boolean {
    const next = this.#pool.take(Math.max(needed, RECEIVE_BLOCK_BYTES)) ?? this.#pool.take(needed);
    if (next === null) return false;
    this.#move(next, this.#end - this.#start);
    return true;
  }

  /** Goes on in `next` with the `left` bytes there are, or else with those set aside. */
  #move(next: Block, left: number): void {
    if (left > next.size) {
      throw new RangeError("A receive block is too small for what it is to hold");
    }
    const memory = this.#pool.memory.bytes;
    if (left > 0) {
      const from = this.pointer;
      memory.copyWithin(next.pointer, from, from + left);
    } else if (this.#stashed > 0) {
      left = this.#stashed;
      memory.set(this.#stash!.subarray(0, left), next.pointer);
      this.#stashed = 0;
    }
    if (this.#block !== null) this.#drop();
    this.#block = next;
    this.#start = 0;
    this.#end = left;
  }

  #drop(): void {
    const block = this.#block!;
    this.#block = null;
    this.#start = this.#end = 0;
    if (block.references === 0) this.#pool.give(block);
  }
}
