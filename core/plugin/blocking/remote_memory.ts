// SPDX-License-Identifier: MIT
// The memory of an instance that lives on another thread, as the reactor sees it. It only looks while that
// thread waits for it.

import { PluginMemory } from "../memory.ts";

/** What a memory without anything looks like. */
const NOTHING = new ArrayBuffer(0);

/** See the top of this file. */
export class RemoteMemory {
  readonly memory: PluginMemory;
  /** Memory of the plugin for what it answers next; 0 for none. */
  offered = 0;
  #buffer: ArrayBuffer = NOTHING;
  #address = 0;

  constructor() {
    const buffer = () => this.#buffer;
    this.memory = new PluginMemory({
      get buffer() {
        return buffer();
      },
    }, null);
    // It goes when its thread likes, so nobody else may refer to it.
    this.memory.vanishes = true;
    this.memory.allocator = {
      allocate: () => {
        const { offered } = this;
        this.offered = 0;
        return offered;
      },
      // The thread knows what it has lent.
      free: () => {},
    };
  }

  /** It is there and so long now, or gone (0 bytes). */
  use(address: number, bytes: number): void {
    if (address === this.#address && bytes === this.#buffer.byteLength) return;
    this.#address = address;
    this.#buffer = bytes === 0
      ? NOTHING
      : Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(BigInt(address))!, bytes);
    this.memory.look();
  }
}
