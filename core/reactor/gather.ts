// SPDX-License-Identifier: MIT
// What is to be sent on one connection, as one list of segments for writev(2): headers that lie in
// chunks of its own, and data that stays where it is, in the memory of devices.

import { copyFrom } from "../block/memory.ts";
import type { Gather as ReplyGather } from "../nbd/reply.ts";
import { libc } from "../../native/libc.ts";
import type { Block } from "./buffer_pool.ts";
import type { InflightRequest } from "./inflight_request.ts";
import type { ReplyArena } from "./reply_arena.ts";

/** IOV_MAX of Linux: segments that one writev takes. */
const SEGMENTS_PER_CALL = 1024;
const CHUNK_BYTES = 32 * 1024;
const ZERO_BYTES = 1024 * 1024;
const HIGH = 4294967296;

// Never written to, so the kernel backs all of it with one page of zeroes. The bytes must stay
// reachable from the functions below: their address alone does not keep them from being collected.
const zero = withAddress(new Uint8Array(ZERO_BYTES));

function withAddress(bytes: Uint8Array<ArrayBuffer>) {
  return { bytes, address: addressOf(bytes) };
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

/** See the top of this file. */
export class Gather implements ReplyGather {
  /** Bytes that are not sent yet. */
  byteCount = 0;

  readonly #arena: ReplyArena;
  /** The chunk that is always there; answers that need more get further ones for a while. */
  readonly #firstChunk = new Uint8Array(CHUNK_BYTES);
  readonly #firstView = new DataView(this.#firstChunk.buffer);
  readonly #firstAddress = addressOf(this.#firstChunk);
  #chunk = this.#firstChunk;
  #chunkView = this.#firstView;
  #chunkAddress = this.#firstAddress;
  #chunkUsed = 0;
  /** Keeps memory that segments point at from being collected. */
  #kept: Uint8Array[] = [];

  /** struct iovec as four u32: address low, address high, length low, length high. */
  #iovecs = new Uint32Array(4 * SEGMENTS_PER_CALL);
  #iovecBytes = new Uint8Array(this.#iovecs.buffer);
  #stable = new Uint8Array(SEGMENTS_PER_CALL);
  #first = 0;
  #count = 0;
  #hasStable = false;
  /** Address just behind the last segment, where a header may be joined on. */
  #lastEnd = 0;

  readonly #blocks: Block[] = [];
  #blockCount = 0;

  constructor(arena: ReplyArena) {
    this.#arena = arena;
  }

  get headerView(): DataView {
    return this.#chunkView;
  }

  /** Segments that are not sent yet. */
  get segmentCount(): number {
    return this.#count - this.#first;
  }

  header(length: number): number {
    if (this.#chunkUsed + length > this.#chunk.length) this.#nextChunk(length);
    const at = this.#chunkUsed;
    this.#chunkUsed = at + length;
    const address = this.#chunkAddress + at;
    if (address === this.#lastEnd) {
      this.#iovecs[4 * this.#count - 2]! += length;
      this.byteCount += length;
      this.#lastEnd = address + length;
    } else this.#segment(address, length, 0);
    return at;
  }

  memory(address: number, length: number, stable: boolean): void {
    this.#segment(address, length, stable ? 1 : 0);
    if (stable) this.#hasStable = true;
  }

  zeroes(length: number): void {
    let left = length;
    while (left > 0) {
      const part = left < ZERO_BYTES ? left : ZERO_BYTES;
      this.#segment(zero.address, part, 0);
      left -= part;
    }
  }

  bytes(data: Uint8Array): void {
    const at = this.header(data.length);
    this.#chunk.set(data, at);
  }

  /** Keeps the blocks that the answer of `request` lies in until all is sent. */
  adopt(request: InflightRequest): void {
    for (let i = 0; i < request.answerBlockCount; i++) {
      this.#blocks[this.#blockCount++] = request.answerBlocks[i]!;
    }
    request.answerBlockCount = 0;
  }

  /** Sends what it can in one call. Returns the bytes sent, or -1 with errno (see errno.ts). */
  send(fd: number): number {
    const pending = this.#count - this.#first;
    const count = pending < SEGMENTS_PER_CALL ? pending : SEGMENTS_PER_CALL;
    const iovecs = this.#first === 0
      ? this.#iovecBytes
      : this.#iovecBytes.subarray(this.#first * 16);
    const sent = libc.writev(fd, iovecs, count);
    if (sent > 0) this.#advance(sent);
    return sent;
  }

  /** Forgets everything and lets go of the blocks. */
  reset(): void {
    this.byteCount = 0;
    this.#first = 0;
    this.#count = 0;
    this.#hasStable = false;
    this.#lastEnd = 0;
    this.#chunkUsed = 0;
    if (this.#chunk !== this.#firstChunk) {
      this.#chunk = this.#firstChunk;
      this.#chunkView = this.#firstView;
      this.#chunkAddress = this.#firstAddress;
    }
    if (this.#kept.length > 0) this.#kept = [];
    for (let i = 0; i < this.#blockCount; i++) this.#arena.release(this.#blocks[i]!);
    this.#blockCount = 0;
  }

  /** Copies what lies in stable memory of a device, before the device reuses that memory. */
  settle(): void {
    if (!this.#hasStable) return;
    this.#hasStable = false;
    for (let i = this.#first; i < this.#count; i++) {
      if (this.#stable[i] !== 1) continue;
      const length = this.#iovecs[4 * i + 2]!;
      const address = this.#iovecs[4 * i + 1]! * HIGH + this.#iovecs[4 * i]!;
      const copy = new Uint8Array(length);
      copyFrom(address, copy);
      this.#kept.push(copy);
      this.#setAddress(i, addressOf(copy));
      this.#stable[i] = 0;
    }
    this.#lastEnd = 0;
  }

  #segment(address: number, length: number, stable: number): void {
    const at = this.#count;
    if (at === this.#stable.length) this.#growSegments();
    this.#setAddress(at, address);
    this.#iovecs[4 * at + 2] = length;
    this.#stable[at] = stable;
    this.#count = at + 1;
    this.byteCount += length;
    this.#lastEnd = address + length;
  }

  #setAddress(index: number, address: number): void {
    this.#iovecs[4 * index] = address;
    this.#iovecs[4 * index + 1] = address / HIGH;
  }

  #advance(sent: number): void {
    this.byteCount -= sent;
    if (this.byteCount === 0) return;
    let left = sent;
    let index = this.#first;
    while (left >= this.#iovecs[4 * index + 2]!) left -= this.#iovecs[4 * index++ + 2]!;
    this.#first = index;
    if (left === 0) return;
    this.#setAddress(
      index,
      this.#iovecs[4 * index + 1]! * HIGH + this.#iovecs[4 * index]! + left,
    );
    this.#iovecs[4 * index + 2]! -= left;
  }

  #nextChunk(length: number): void {
    this.#chunk = new Uint8Array(Math.max(length, CHUNK_BYTES));
    this.#chunkView = new DataView(this.#chunk.buffer);
    this.#chunkAddress = addressOf(this.#chunk);
    this.#chunkUsed = 0;
    this.#kept.push(this.#chunk);
  }

  #growSegments(): void {
    const iovecs = new Uint32Array(this.#iovecs.length * 2);
    iovecs.set(this.#iovecs);
    const stable = new Uint8Array(this.#stable.length * 2);
    stable.set(this.#stable);
    this.#iovecs = iovecs;
    this.#iovecBytes = new Uint8Array(iovecs.buffer);
    this.#stable = stable;
  }
}
