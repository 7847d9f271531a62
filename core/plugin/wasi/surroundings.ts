// SPDX-License-Identifier: MIT
// What the runtime of a language finds when it insists on WASI: no files, no network, no arguments,
// no environment. Unless somebody grants more, its clock is its own, which only looking at it moves
// on, and its random numbers are the same on each run. What it prints goes to the log. Both preview 1
// and 2 are made of this.

import type { Grants } from "../grants.ts";

const DECODER = new TextDecoder();
/** A line that is longer is logged in parts. */
const LINE_BYTES_MAX = 4096;
/** Where the clock begins, as some runtimes take 0 for a failure, and how far a look moves it. */
const CLOCK_START_NS = 1_000_000_000n;
const CLOCK_STEP_NS = 1_000n;
const NS_PER_MS = 1_000_000;
/** As many random bytes are had at a time. */
const RANDOM_STEP = 65536;
/** Random bytes that are given at a time. */
export const RANDOM_BYTES_MAX = 1024 * 1024;

/** Takes a line of text: from standard output (`info`) or standard error (`warning`). */
export type LineLog = (level: "info" | "warning", text: string) => void;

/** See the top of this file. */
export class Surroundings {
  readonly output: LineWriter;
  readonly errors: LineWriter;
  readonly #grants: Grants;
  #now = CLOCK_START_NS;
  #random = 0x9e3779b9;

  constructor(grants: Grants, log: LineLog) {
    this.#grants = grants;
    this.output = new LineWriter((text) => log("info", text));
    this.errors = new LineWriter((text) => log("warning", text));
  }

  /** Nanoseconds since some time. */
  now(): bigint {
    if (this.#grants.clock) return BigInt(Math.round(performance.now() * NS_PER_MS));
    this.#now += CLOCK_STEP_NS;
    return this.#now;
  }

  /** Nanoseconds since 1970, if the clock is granted. */
  wallClock(): bigint {
    return this.#grants.clock ? BigInt(Date.now()) * BigInt(NS_PER_MS) : this.now();
  }

  /** Sleeping takes no time, for nobody waits for a plugin; its own clock is put forward. */
  sleepUntil(time: bigint): void {
    if (time > this.#now) this.#now = BigInt.asUintN(63, time);
  }

  /** Fills `bytes` with random numbers. */
  fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#grants.random) {
      for (let at = 0; at < bytes.length; at += RANDOM_STEP) {
        crypto.getRandomValues(bytes.subarray(at, at + RANDOM_STEP));
      }
      return;
    }
    for (let index = 0; index < bytes.length; index++) {
      // Mulberry32: one 32-bit state, good enough for seeds of hash tables.
      this.#random = (this.#random + 0x6d2b79f5) | 0;
      let mixed = Math.imul(this.#random ^ (this.#random >>> 15), this.#random | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      bytes[index] = (mixed ^ (mixed >>> 14)) & 0xff;
    }
  }

  /** Logs what was printed without the end of a line. */
  flush(): void {
    this.output.flush();
    this.errors.flush();
  }
}

/** Cuts what is printed into lines. */
class LineWriter {
  readonly #log: (text: string) => void;
  readonly #bytes = new Uint8Array(LINE_BYTES_MAX);
  #length = 0;

  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a) this.#end();
      else {
        if (this.#length === LINE_BYTES_MAX) this.#end();
        this.#bytes[this.#length++] = byte;
      }
    }
  }

  flush(): void {
    if (this.#length > 0) this.#end();
  }

  #end(): void {
    const text = DECODER.decode(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    if (text.trim() !== "") this.#log(text);
  }
}

/** Ends the running call of a plugin like an instruction that traps. */
export function trap(fact: string): never {
  throw new WebAssembly.RuntimeError(fact);
}
