// SPDX-License-Identifier: MIT
// Collects the messages of a client that haggles out of the bytes as they come: parts of a known
// length that are wanted whole, and lengths that are to be skipped without holding them.

/** See the top of this file. */
export class PartialMessage {
  #wanted = 0;
  #skipping = false;
  #have = 0;
  #buffer = new Uint8Array(64);
  #part: Uint8Array | null = null;

  /** From here on, collect the next `length` bytes. */
  expect(length: number): void {
    this.#wanted = length;
    this.#skipping = false;
    this.#have = 0;
    this.#part = null;
  }

  /** From here on, drop the next `length` bytes; the part is then empty. */
  skip(length: number): void {
    this.expect(length);
    this.#skipping = true;
  }

  /** Whether all that was expected has come. */
  get complete(): boolean {
    return this.#have === this.#wanted;
  }

  /** What was expected; valid until the next call of any method but this one. */
  get part(): Uint8Array {
    return this.#part ?? this.#buffer.subarray(0, this.#skipping ? 0 : this.#wanted);
  }

  /** Takes what is expected, or as much as there is, from `bytes` at `at`; returns how much. */
  take(bytes: Uint8Array, at: number): number {
    const length = Math.min(this.#wanted - this.#have, bytes.length - at);
    if (!this.#skipping) {
      if (length === this.#wanted) this.#part = bytes.subarray(at, at + length);
      else this.#keep(bytes.subarray(at, at + length));
    }
    this.#have += length;
    return length;
  }

  /** Grows with what has come, not with what is announced. */
  #keep(data: Uint8Array): void {
    if (this.#have + data.length > this.#buffer.length) {
      const length = Math.max(this.#buffer.length * 2, this.#have + data.length);
      const larger = new Uint8Array(Math.min(length, this.#wanted));
      larger.set(this.#buffer.subarray(0, this.#have));
      this.#buffer = larger;
    }
    this.#buffer.set(data, this.#have);
  }
}
