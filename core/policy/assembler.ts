// SPDX-License-Identifier: MIT
// Writes the code of a function: instructions by name, with what follows them.

import { BLOCK_EMPTY, ValueType } from "../plugin/wasm/format.ts";
import { ByteWriter } from "../plugin/wasm/writer.ts";
import { opcodeOf } from "./instructions.ts";

/** See the top of this file. All methods return the assembler, so that calls can be chained. */
export class Assembler {
  readonly #out = new ByteWriter(1024);

  get written(): Uint8Array<ArrayBuffer> {
    return this.#out.written;
  }

  /** Instructions without anything behind them. */
  op(...names: string[]): this {
    for (const name of names) this.#out.byte(opcodeOf(name));
    return this;
  }

  /** An instruction with an index: a local, a label, a function. */
  index(name: string, index: number): this {
    this.#out.byte(opcodeOf(name)).u32(index);
    return this;
  }

  get(local: number): this {
    return this.index("local.get", local);
  }

  set(local: number): this {
    return this.index("local.set", local);
  }

  i32(value: number): this {
    this.#out.byte(opcodeOf("i32.const")).s32(value | 0);
    return this;
  }

  /** `value` is 0 to 2^64-1. */
  i64(value: bigint): this {
    this.#out.byte(opcodeOf("i64.const"));
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const last = rest === 0n && low < 0x40 || rest === -1n && low >= 0x40;
      this.#out.byte(last ? low : low | 0x80);
      if (last) return this;
    }
  }

  /** `block` or `if`; `result`: it gives an i32. */
  open(name: "block" | "if", result = false): this {
    this.#out.byte(opcodeOf(name), result ? ValueType.I32 : BLOCK_EMPTY);
    return this;
  }

  /** Jumps to the label that is chosen by a number, or to the last one. */
  table(labels: readonly number[], otherwise: number): this {
    this.#out.byte(opcodeOf("br_table")).u32(labels.length);
    for (const label of labels) this.#out.u32(label);
    this.#out.u32(otherwise);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#out.raw(bytes);
    return this;
  }
}
