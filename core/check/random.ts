// SPDX-License-Identifier: MIT
// Random numbers from a seed, so that what a run has found can be found again (xorshift32).

/** See the top of this file. */
export class Random {
  #state: number;

  /** `seed`: 1 to 2^32-1. */
  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) >>> 0) || 1;
    for (let round = 0; round < 4; round++) this.#next();
  }

  /** An integer from 0 to `limit` - 1; `limit` is 1 to 2^32. */
  below(limit: number): number {
    return Math.floor(this.#next() / 4294967296 * limit);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of `values`. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** `length` bytes, none of which is 0. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      const word = this.#next();
      bytes[at] = word | 1;
      bytes[at + 1] = (word >>> 8) | 2;
      bytes[at + 2] = (word >>> 16) | 4;
      bytes[at + 3] = (word >>> 24) | 8;
    }
    return bytes;
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }
}
