// SPDX-License-Identifier: MIT
// For tests: a device's memory that is a plain buffer of this process, with a simple allocator.

import type { PayloadMemory } from "../block/memory.ts";

/** Hands out its bytes from the front and remembers what is still lent. */
export class TestMemory implements PayloadMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;
  /** Lengths by pointer of what is allocated now. */
  readonly allocated = new Map<number, number>();
  #next = 4096;
  readonly #free: [number, number][] = [];

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.bytes)));
  }

  allocate(length: number, alignment: number): number {
    const fit = this.#free.findIndex(([, free]) => free === length);
    let pointer = this.#free.splice(fit < 0 ? this.#free.length : fit, 1)[0]?.[0] ?? 0;
    if (pointer === 0) {
      pointer = Math.ceil(this.#next / alignment) * alignment;
      if (pointer + length > this.bytes.length) return 0;
      this.#next = pointer + length;
    }
    this.allocated.set(pointer, length);
    return pointer;
  }

  free(pointer: number, length: number): void {
    if (this.allocated.get(pointer) !== length) throw new Error(`bad free of ${pointer}`);
    this.allocated.delete(pointer);
    this.#free.push([pointer, length]);
  }
}
