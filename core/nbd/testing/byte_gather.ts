// SPDX-License-Identifier: MIT
// For tests: a Gather that puts all bytes of the replies together in one place.

import type { PayloadMemory } from "../../block/memory.ts";
import type { Gather } from "../gather.ts";
import { HEADER_LENGTH_MAX } from "../limits.ts";
import { STRING_MAX } from "../wire.ts";

/** See the top of this file. Also counts the segments that a gathering send would have. */
export class ByteGather implements Gather {
  headerView: DataView;
  /** Bytes so far. */
  length = 0;
  segments = 0;
  readonly #memory: PayloadMemory;
  #bytes = new Uint8Array(4096);

  constructor(memory: PayloadMemory) {
    this.#memory = memory;
    this.headerView = new DataView(this.#bytes.buffer);
  }

  header(length: number): number {
    if (!(length > 0 && length <= HEADER_LENGTH_MAX)) {
      throw new RangeError(`Header of ${length} bytes`);
    }
    return this.#take(length);
  }

  memory(address: number, length: number, _stable: boolean): void {
    if (!(length > 0)) throw new RangeError(`Memory of ${length} bytes`);
    const at = this.#take(length);
    const pointer = address - this.#memory.address;
    this.#bytes.set(this.#memory.bytes.subarray(pointer, pointer + length), at);
  }

  zeroes(length: number): void {
    if (!(length > 0)) throw new RangeError(`Zeroes of ${length} bytes`);
    const at = this.#take(length);
    this.#bytes.fill(0, at, at + length);
  }

  bytes(data: Uint8Array): void {
    if (data.length > STRING_MAX) throw new RangeError(`Text of ${data.length} bytes`);
    const at = this.#take(data.length);
    this.#bytes.set(data, at);
  }

  /** A copy of all bytes, which are then forgotten. */
  takeBytes(): Uint8Array {
    const all = this.#bytes.slice(0, this.length);
    this.length = 0;
    this.segments = 0;
    return all;
  }

  #take(length: number): number {
    const at = this.length;
    this.length += length;
    this.segments++;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.headerView = new DataView(larger.buffer);
    }
    return at;
  }
}
