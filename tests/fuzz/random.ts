// SPDX-License-Identifier: MIT
// Random numbers for the fuzzers: small, fast, and the same everywhere for the same seed (sfc32).

/** See the top of this file. `seed` and `stream` are integers; each pair is a sequence of its own. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number, stream: number) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = (seed / 4294967296) ^ (stream / 4294967296 * 65537);
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** 0 to 2^32-1. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `limit` - 1; `limit` from 1 to 2^32. */
  below(limit: number): number {
    return Math.floor(this.u32() / 4294967296 * limit);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}
