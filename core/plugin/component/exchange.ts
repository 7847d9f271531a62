// SPDX-License-Identifier: MIT
// Hands out pieces of the memory through which the host and a component exchange bytes: the sb_alloc
// and sb_free of a plugin that has no such functions. First fit; pieces are few.

const PAGE_BYTES = 65536;
/** Pointer 0 means none, so nothing is handed out there. */
const START = 4096;
const GRANULE = 16;

interface Range {
  start: number;
  end: number;
}

/** See the top of this file. */
export class Exchange {
  readonly memory: WebAssembly.Memory;
  /** What is free, ascending, no two of them adjacent. */
  readonly #free: Range[];

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.#free = [{ start: START, end: memory.buffer.byteLength }];
  }

  /** Pointer to `length` bytes at a multiple of `alignment`, a power of two; 0 where there are none. */
  allocate(length: number, alignment: number): number {
    const size = rounded(length);
    const step = Math.max(alignment, GRANULE);
    const found = this.#take(size, step);
    if (found !== 0 || !this.#grow(size + step)) return found;
    return this.#take(size, step);
  }

  /** Takes back what `allocate` returned. */
  free(pointer: number, length: number): void {
    if (pointer === 0) return;
    this.#give(pointer, pointer + rounded(length));
  }

  #take(size: number, alignment: number): number {
    for (let index = 0; index < this.#free.length; index++) {
      const range = this.#free[index]!;
      const start = Math.ceil(range.start / alignment) * alignment;
      if (start + size > range.end) continue;
      const rest = [
        { start: range.start, end: start },
        { start: start + size, end: range.end },
      ].filter(({ start, end }) => start < end);
      this.#free.splice(index, 1, ...rest);
      return start;
    }
    return 0;
  }

  #give(start: number, end: number): void {
    const at = this.#free.findIndex((range) => range.start > start);
    const index = at < 0 ? this.#free.length : at;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const range = { start, end };
    let from = index;
    let count = 0;
    if (before !== undefined && before.end === start) {
      range.start = before.start;
      from--;
      count++;
    }
    if (after !== undefined && after.start === end) {
      range.end = after.end;
      count++;
    }
    this.#free.splice(from, count, range);
  }

  #grow(bytes: number): boolean {
    const end = this.memory.buffer.byteLength;
    try {
      this.memory.grow(Math.ceil(bytes / PAGE_BYTES));
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
    this.#give(end, this.memory.buffer.byteLength);
    return true;
  }
}

function rounded(length: number): number {
  return Math.max(GRANULE, Math.ceil(length / GRANULE) * GRANULE);
}
