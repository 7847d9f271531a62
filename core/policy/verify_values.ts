// SPDX-License-Identifier: MIT
// Follows through a function which values its integers can have, to be sure that every load is within
// the memory and no division traps. Branches only go forward, so one pass sees everything; where ways
// meet, a value can be what it was on either.

import { PluginError } from "../plugin/errors.ts";
import { PAGE_BYTES, ValueType } from "../plugin/wasm/format.ts";
import type { ModuleShape } from "../plugin/wasm/module.ts";
import { type Body, decode, type Decoded } from "./bodies.ts";
import { loadedBytes } from "./instructions.ts";
import {
  anyValue,
  binary,
  constant,
  type IntegerType,
  join,
  loaded,
  unary,
  type Values,
} from "./interval.ts";

/** Locals and what a block gives, on the ways that lead to its end. */
interface Arrival {
  readonly locals: readonly Values[];
  readonly results: readonly Values[];
}

interface Frame {
  readonly kind: "block" | "if" | "else";
  /** Values on the stack below those of the block. */
  readonly height: number;
  readonly parameterCount: number;
  readonly resultCount: number;
  arrival: Arrival | null;
  /** State at the beginning of an `if`, for its `else`. */
  readonly entry: Arrival | null;
}

/** Throws PluginError unless everything in the function stays within bounds. */
export function verifyValues(body: Body, shape: ModuleShape): void {
  new Walk(body, shape).run();
}

class Walk {
  readonly #body: Body;
  readonly #shape: ModuleShape;
  readonly #memoryBytes: number;
  readonly #frames: Frame[] = [];
  #locals: Values[];
  #stack: Values[] = [];
  /** Blocks that were opened behind a jump, where nothing runs; -1 where something does. */
  #dead = -1;

  constructor(body: Body, shape: ModuleShape) {
    this.#body = body;
    this.#shape = shape;
    this.#memoryBytes = (shape.memories[0]?.minimum ?? 0) * PAGE_BYTES;
    const parameters = body.type.parameters.map((type) => anyValue(letter(type)));
    this.#locals = [...parameters, ...body.locals.map(() => ({ low: 0, high: 0 }))];
    this.#open("block", 0, body.type.results.length, null);
  }

  run(): void {
    for (const decoded of decode(this.#body, this.#shape.types)) {
      if (this.#dead >= 0) this.#skip(decoded);
      else this.#step(decoded);
    }
  }

  /** Behind a jump only the ends of blocks matter. */
  #skip({ instruction: { name, immediate } }: Decoded): void {
    if (immediate === "block") this.#dead++;
    else if (name === "end" && this.#dead > 0) this.#dead--;
    else if (name === "end" || name === "else" && this.#dead === 0) {
      this.#dead = -1;
      if (name === "end") this.#end(false);
      else this.#else(false);
    }
  }

  #step(decoded: Decoded): void {
    const { instruction: { name, immediate, plain, takes, gives }, index, value } = decoded;
    if (immediate === "memory") return this.#load(name, Number(value));
    if (immediate === "i32" || immediate === "i64") {
      this.#push(constant(gives as IntegerType, value));
    } else if (plain) this.#compute(name, takes, gives as IntegerType);
    else if (immediate === "block") this.#enter(name, decoded);
    else if (name.startsWith("local.")) this.#local(name, index);
    else if (name.startsWith("global.")) this.#global(name, index);
    else this.#control(name, decoded);
  }

  #compute(name: string, takes: string, gives: IntegerType): void {
    const b = this.#pop();
    if (takes.length === 1) return this.#push(unary(name, b));
    const a = this.#pop();
    const operation = name.slice(4);
    if (/^(div|rem)_/.test(operation)) this.#checkDivisor(name, takes[0] as IntegerType, b);
    this.#push(binary(operation, gives, a, b));
  }

  #checkDivisor(name: string, type: IntegerType, divisor: Values): void {
    const positive = 2 ** (type === "i" ? 31 : 53) - 1;
    const safe = divisor.low > 0 && (name.endsWith("_u") || divisor.high <= positive);
    if (!safe) this.#fail(`${name} by what may be 0 or -1 can trap`);
  }

  #load(name: string, offset: number): void {
    const address = this.#pop();
    const end = address.high + offset + loadedBytes(name);
    if (end > this.#memoryBytes) {
      this.#fail(
        `${name} may read up to byte ${end} of a memory of ${this.#memoryBytes}; ` +
          "take the address and a constant mask",
      );
    }
    this.#push(loaded(name));
  }

  #local(name: string, index: number): void {
    if (name === "local.get") return this.#push(this.#locals[index]!);
    const value = this.#pop();
    this.#locals[index] = value;
    if (name === "local.tee") this.#push(value);
  }

  #global(name: string, index: number): void {
    if (name === "global.set") this.#pop();
    else this.#push(anyValue(letter(this.#shape.globals[index]!.type)));
  }

  #enter(name: string, { block }: Decoded): void {
    if (name === "if") this.#pop();
    const { parameters, results } = block!;
    const entry = name === "if" ? this.#state(parameters.length) : null;
    this.#open(name as "block" | "if", parameters.length, results.length, entry);
  }

  #control(name: string, { index, labels }: Decoded): void {
    switch (name) {
      case "else":
        return this.#else(true);
      case "end":
        return this.#end(true);
      case "br":
        return this.#jump([index], true);
      case "br_if":
        this.#pop();
        return this.#jump([index], false);
      case "br_table":
        this.#pop();
        return this.#jump(labels, true);
      case "return":
        return this.#jump([this.#frames.length - 1], true);
      case "call":
        return this.#call(index);
      case "select": {
        this.#pop();
        const other = this.#pop();
        return this.#push(join(this.#pop(), other));
      }
      case "drop":
        this.#pop();
    }
  }

  #call(index: number): void {
    const { parameters, results } = this.#shape.types[this.#shape.functions[index]!]!;
    this.#stack.length -= parameters.length;
    for (const type of results) this.#push(anyValue(letter(type)));
  }

  #open(kind: Frame["kind"], parameterCount: number, resultCount: number, entry: Arrival | null) {
    const height = this.#stack.length - parameterCount;
    this.#frames.push({ kind, height, parameterCount, resultCount, arrival: null, entry });
  }

  #jump(labels: readonly number[], always: boolean): void {
    for (const label of labels) {
      const frame = this.#frames[this.#frames.length - 1 - label]!;
      this.#arrive(frame, this.#state(frame.resultCount));
    }
    if (always) this.#dead = 0;
  }

  #else(reached: boolean): void {
    const frame = this.#frames.pop()!;
    if (reached) this.#arrive(frame, this.#state(frame.resultCount));
    const entry = frame.entry!;
    this.#restore(frame, entry);
    this.#frames.push({ ...frame, kind: "else", entry: null });
  }

  #end(reached: boolean): void {
    const frame = this.#frames.pop()!;
    if (reached) this.#arrive(frame, this.#state(frame.resultCount));
    // Without `else` the other way gives what the block was given.
    if (frame.kind === "if") this.#arrive(frame, frame.entry!);
    if (frame.arrival) this.#restore(frame, frame.arrival);
    else if (this.#frames.length > 0) {
      this.#stack.length = frame.height;
      this.#dead = 0;
    }
  }

  #arrive(frame: Frame, state: Arrival): void {
    const former = frame.arrival;
    frame.arrival = former === null ? state : {
      locals: former.locals.map((value, i) => join(value, state.locals[i]!)),
      results: former.results.map((value, i) => join(value, state.results[i]!)),
    };
  }

  #state(resultCount: number): Arrival {
    const results = this.#stack.slice(this.#stack.length - resultCount);
    return { locals: [...this.#locals], results };
  }

  #restore(frame: Frame, { locals, results }: Arrival): void {
    this.#locals = [...locals];
    this.#stack = [...this.#stack.slice(0, frame.height), ...results];
  }

  #push(value: Values): void {
    this.#stack.push(value);
  }

  #pop(): Values {
    return this.#stack.pop()!;
  }

  #fail(fact: string): never {
    throw new PluginError(`in its function ${this.#body.index}, ${fact}`);
  }
}

function letter(type: number): IntegerType {
  return type === ValueType.I64 ? "l" : "i";
}
