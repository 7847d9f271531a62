// SPDX-License-Identifier: MIT
// Memory of a plugin that stands in for memory elsewhere while one request is under way: its answer is
// written there before it is copied to where answers belong, and a payload is copied there to be read.

import type { PayloadMemory } from "../block/memory.ts";
import type { PluginMemory } from "./memory.ts";

interface Loan {
  pointer: number;
  length: number;
  /** Where its content goes at the end; 0 for nowhere. */
  address: number;
}

/** See the top of this file. */
export class Loans {
  readonly #memory: PluginMemory;
  #loans: Loan[] = [];

  constructor(memory: PluginMemory) {
    this.#memory = memory;
  }

  /** Whether there is something to give back. */
  get any(): boolean {
    return this.#loans.length > 0;
  }

  /** Pointer to `length` bytes whose content goes to `address` at the end; 0 where there are none. */
  lend(length: number, address: number): number {
    const pointer = this.#memory.allocate(length, this.#memory.bufferAlignment);
    if (pointer !== 0) this.#loans.push({ pointer, length, address });
    return pointer;
  }

  /** Brings what was written where it goes, to `target`, if that is not null, and gives all back. */
  giveBack(target: PayloadMemory | null): void {
    const loans = this.#loans;
    // Giving memory back calls the plugin, whatever that does.
    this.#loans = [];
    for (const { pointer, length, address } of loans) {
      if (target !== null && address !== 0) {
        const bytes = this.#memory.bytes.subarray(pointer, pointer + length);
        target.bytes.set(bytes, address - target.address);
      }
      this.#memory.free(pointer, length, this.#memory.bufferAlignment);
    }
  }
}
