// SPDX-License-Identifier: MIT
// What a sparse disk must do, written down in the simplest way, and random things to do to it.

import fc from "fast-check";

const BLOCK = 4096n;

/** What the disk must hold, and the blocks that are allocated for it. */
export class Model {
  readonly #blocks = new Map<bigint, Uint8Array>();

  constructor(readonly size: bigint) {}

  write(offset: bigint, data: Uint8Array): void {
    this.#eachBlock(offset, data.length, (block, from, to, at) => {
      this.#allocate(block).set(data.subarray(at, at + to - from), from);
    });
  }

  discard(offset: bigint, length: number): void {
    this.#eachBlock(offset, length, (block, from, to) => {
      const whole = from === 0 && (to === 4096 || block * BLOCK + BigInt(to) === this.size);
      if (whole) this.#blocks.delete(block);
      else this.#blocks.get(block)?.fill(0, from, to);
    });
  }

  provision(offset: bigint, length: number): void {
    this.#eachBlock(offset, length, (block, from, to) => this.#allocate(block).fill(0, from, to));
  }

  read(offset: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#eachBlock(offset, length, (block, from, to, at) => {
      const data = this.#blocks.get(block);
      if (data !== undefined) bytes.set(data.subarray(from, to), at);
    });
    return bytes;
  }

  /** Extents, merged. */
  extents(offset: bigint, length: number): { length: bigint; flags: number }[] {
    const extents: { length: bigint; flags: number }[] = [];
    this.#eachBlock(offset, length, (block, from, to) => {
      const flags = this.#blocks.has(block) ? 0 : 3;
      const last = extents.at(-1);
      if (last?.flags === flags) last.length += BigInt(to - from);
      else extents.push({ length: BigInt(to - from), flags });
    });
    return extents;
  }

  #allocate(block: bigint): Uint8Array {
    const data = this.#blocks.get(block) ?? new Uint8Array(4096);
    this.#blocks.set(block, data);
    return data;
  }

  /** Cuts a range at block ends: bytes `from` to `to` of `block` are `at` bytes into the range. */
  #eachBlock(
    offset: bigint,
    length: number,
    action: (block: bigint, from: number, to: number, at: number) => void,
  ): void {
    for (let at = 0; at < length;) {
      const from = Number((offset + BigInt(at)) % BLOCK);
      const to = Math.min(4096, from + length - at);
      action((offset + BigInt(at)) / BLOCK, from, to, at);
      at += to - from;
    }
  }
}

/** Something to do to the disk. */
export interface Step {
  action: "write" | "trim" | "zero" | "provision" | "check";
  offset: bigint;
  length: number;
  value: number;
}

/** Offsets crowd around a few places, so that steps meet: chunk, leaf and node edges, both ends. */
export function steps(size: bigint): fc.Arbitrary<Step[]> {
  const places = [0n, 65536n, 1n << 24n, 1n << 32n, 1n << 40n, size - 300_000n]
    .filter((place) => place >= 0n && place < size);
  const near = fc.tuple(fc.constantFrom(...places), fc.bigInt(-70_000n, 300_000n));
  const offset = near.map(([place, by]) => {
    const at = place + by;
    return at < 0n ? 0n : at >= size ? size - 1n : at;
  });
  const aligned = fc.oneof(offset, offset.map((at) => at - at % BLOCK));
  const length = fc.oneof(fc.nat(200), fc.nat(150_000), fc.constantFrom(4096, 65536, 131072));
  const step = fc.record({
    action: fc.constantFrom("write", "write", "trim", "zero", "provision", "check"),
    offset: aligned,
    length: length.map((bytes) => bytes + 1),
    value: fc.integer({ min: 1, max: 255 }),
  }) as fc.Arbitrary<Step>;
  return fc.array(step, { minLength: 1, maxLength: 30 });
}
