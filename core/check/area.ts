// SPDX-License-Identifier: MIT
// The part of a device that is checked byte by byte, and what it must hold. A small device is one
// area; of a large one there are several, where mistakes are likely.

/** A device up to this size is checked as a whole. */
const WHOLE_MAX = 1024 * 1024;
/** Size of each part of a larger one. */
const PART = 256 * 1024;
/** Where 32-bit, 40-bit and 53-bit arithmetic, signed or not, come to their ends. */
const PLACES = [31n, 32n, 40n, 53n].map((bits) => 1n << bits);

/** See the top of this file. Positions are relative to its start. */
export class Area {
  /** Where it begins in the device. */
  readonly base: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 1 for each byte whose value is known. */
  readonly #known: Uint8Array;

  constructor(base: bigint, length: number) {
    this.base = base;
    this.bytes = new Uint8Array(length);
    this.#known = new Uint8Array(length);
  }

  get length(): number {
    return this.bytes.length;
  }

  write(at: number, data: Uint8Array): void {
    this.bytes.set(data, at);
    this.#known.fill(1, at, at + data.length);
  }

  fill(at: number, length: number, value: number): void {
    this.bytes.fill(value, at, at + length);
    this.#known.fill(1, at, at + length);
  }

  /** It does not matter any more what is there. */
  forget(at: number, length: number): void {
    this.#known.fill(0, at, at + length);
  }

  isKnown(at: number): boolean {
    return this.#known[at] === 1;
  }

  /** How `got`, read at `at`, differs from what must be there: "" where it does not. */
  difference(at: number, got: Uint8Array): string {
    for (let i = 0; i < got.length; i++) {
      if (got[i] === this.bytes[at + i] || this.#known[at + i] === 0) continue;
      const where = this.base + BigInt(at + i);
      return `the byte at ${where} is ${hex(got[i]!)}; it must be ${hex(this.bytes[at + i]!)}`;
    }
    return "";
  }
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** The areas of a device of `size` bytes with blocks of `block` bytes, all in whole blocks, in order. */
export function areasOf(bytes: bigint, block: number): Area[] {
  const size = bytes - bytes % BigInt(block);
  if (size === 0n) return [];
  if (size <= BigInt(WHOLE_MAX)) return [new Area(0n, Number(size))];
  const step = BigInt(Math.max(block, 4096));
  const part = BigInt(PART);
  const tail = size % step;
  // The last one ends where the device does, which need not be the end of a block.
  const starts = [0n, size / 2n, ...PLACES.map((place) => place - part / 2n)]
    .map((start) => start - start % step)
    .filter((start) => start >= 0n && start + part <= size);
  const last = size - tail - part;
  const sorted = [...starts, last].sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
  const apart: bigint[] = [];
  for (const start of sorted) {
    if (apart.length === 0 || start >= apart.at(-1)! + part) apart.push(start);
    else if (start === last) apart[apart.length - 1] = start;
  }
  return apart.map((start) => {
    return new Area(start, start === last ? Number(part + tail) : Number(part));
  });
}
