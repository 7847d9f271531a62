// SPDX-License-Identifier: MIT
// The linear memory of a plugin as the memory that payloads lie in. The engine reserves the address
// range up to the maximum when the memory is made, so growing does not move it; it is looked up again
// all the same, since nothing promises that.

import type { PayloadMemory } from "../block/memory.ts";

/** sb_alloc and sb_free of the plugin. */
export interface Allocator {
  /** Pointer to `length` bytes at a multiple of `alignment`; 0 when there are none. */
  allocate(length: number, alignment: number): number;
  free(pointer: number, length: number, alignment: number): void;
}

/** Gives memory back to the system; its contents become zero. */
export interface MemoryRelease {
  /** Size of a page of the system in bytes, a power of two. */
  readonly pageBytes: number;
  /** `address` and `length` are whole pages. */
  release(address: number, length: number): void;
}

/** Buffers are aligned to this at least. */
export const BUFFER_ALIGNMENT_MIN = 16;

/** See the top of this file. */
export class PluginMemory implements PayloadMemory {
  bytes!: Uint8Array<ArrayBuffer>;
  view!: DataView<ArrayBuffer>;
  address = 0;
  /** It may go at any time: nobody but the plugin may refer to what lies in it. */
  vanishes = false;
  /** Buffers that the plugin gets begin at multiples of this, a power of two. */
  bufferAlignment = BUFFER_ALIGNMENT_MIN;
  /** The same for payloads of writes, which need none unless the plugin asks for it. */
  payloadAlignment = 1;
  /** Set once the plugin is instantiated. */
  allocator: Allocator | null = null;

  readonly #memory: { readonly buffer: ArrayBufferLike };
  readonly #release: MemoryRelease | null;

  constructor(memory: { readonly buffer: ArrayBufferLike }, release: MemoryRelease | null) {
    this.#memory = memory;
    this.#release = release;
    this.look();
  }

  /** To be called after everything that may have grown the memory. */
  refresh(): void {
    // Growing detaches the buffer, which leaves views of it with a length of 0.
    if (this.bytes.length === 0) this.look();
  }

  /** Whether `length` bytes at `pointer` lie in the memory. */
  contains(pointer: number, length: number): boolean {
    const end = this.bytes.length;
    return pointer >= 0 && length >= 0 && pointer <= end && length <= end - pointer;
  }

  allocate(length: number, alignment: number): number {
    return this.allocator === null ? 0 : this.allocator.allocate(length, alignment);
  }

  free(pointer: number, length: number, alignment: number): void {
    this.allocator?.free(pointer, length, alignment);
  }

  /** Makes a range zero and gives the whole pages in it back to the system. */
  release(pointer: number, length: number): void {
    const end = pointer + length;
    if (this.#release === null || length < this.#release.pageBytes) {
      this.bytes.fill(0, pointer, end);
      return;
    }
    // Memory begins on a page, so offsets in it are aligned like addresses.
    const { pageBytes } = this.#release;
    const first = Math.ceil(pointer / pageBytes) * pageBytes;
    const last = Math.floor(end / pageBytes) * pageBytes;
    if (first >= last) {
      this.bytes.fill(0, pointer, end);
      return;
    }
    this.bytes.fill(0, pointer, first);
    this.bytes.fill(0, last, end);
    this.#release.release(this.address + first, last - first);
  }

  /** Uses the memory as it is now. */
  look(): void {
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.address = buffer.byteLength === 0 ? 0 : addressOf(this.bytes);
  }
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}
