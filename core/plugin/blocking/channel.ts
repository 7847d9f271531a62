// SPDX-License-Identifier: MIT
// What a reactor and the thread of an instance tell each other, through a few shared words: they take
// turns, and whoever does not have the turn leaves words and the instance's memory alone. The thread
// sleeps while it waits; the reactor never does, but is rung for (bell.ts).

import { signalEvent } from "../../../native/descriptor.ts";

/** Arguments of one call that cross; next_forward has ten. */
const ARGUMENTS_MAX = 12;

/** Words of 32 bits. */
const Word = {
  /** Whose turn it is. */
  Turn: 0,
  /** What the message says: ToThread or ToReactor. */
  Kind: 1,
  /** Which function it is about, or the status of a call. */
  Value: 2,
  /** A result, in halves. */
  ResultLow: 4,
  ResultHigh: 5,
  /** Messages on the port that belong to it. */
  Posted: 6,
  Arguments: 8,
} as const;
/** Doubles, behind the words. */
const Double = { Address: 0, Bytes: 1, Pointer: 2 } as const;
const DOUBLES_AT = 4 * (Word.Arguments + ARGUMENTS_MAX);
/** Calls without a result, behind those: how many words there are, then each call as a number and arguments. */
const CALLS_AT = DOUBLES_AT + 8 * 4;
const CALLS_WORDS = 4096;

const Turn = { Reactor: 0, Thread: 1 } as const;

/** What a thread is told. */
export const ToThread = {
  /** Answer a request: Value is the function, the arguments are its own. */
  Request: 1,
  /** What it asked for has this result. */
  Result: 2,
  /** The same, after it was waited for. */
  LateResult: 5,
  /** What it asked for will not be done, and what it does is to end. */
  Abort: 3,
  /** There are orders on the port, and nothing else to do. */
  Orders: 4,
} as const;

/** What a reactor is told. */
export const ToReactor = {
  /** The instance is there, or why it is not (StartReport on the port). */
  Started: 1,
  /** Do what it imports: Value is the function. */
  Import: 2,
  /** It has opened an export: its number and the handle, which is negative when it is closed again. */
  Opened: 3,
  /** The request is done: Value is the status (CallReport on the port where there is more to say). */
  Done: 4,
  /** The orders are carried out. */
  Idle: 5,
  /** It was told to stop, and has. */
  Stopped: 6,
} as const;

/** Both ends have one of these, over the same memory. */
export class Channel {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array;
  /** The first word says how many there are; see `addCall`. */
  readonly calls: Int32Array;

  constructor(buffer = new SharedArrayBuffer(CALLS_AT + 4 * CALLS_WORDS)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, DOUBLES_AT / 4);
    this.#doubles = new Float64Array(buffer, DOUBLES_AT, 4);
    this.calls = new Int32Array(buffer, CALLS_AT);
  }

  get kind(): number {
    return this.#words[Word.Kind]!;
  }

  get value(): number {
    return this.#words[Word.Value]!;
  }

  /** An i32 that was set by `setArgument`. */
  argument(index: number): number {
    return this.#words[Word.Arguments + index]!;
  }

  setArgument(index: number, value: number): void {
    this.#words[Word.Arguments + index] = value;
  }

  /** Where the memory of the instance begins in this process, and how long it is. */
  get memoryAddress(): number {
    return this.#doubles[Double.Address]!;
  }

  get memoryBytes(): number {
    return this.#doubles[Double.Bytes]!;
  }

  setMemory(address: number, bytes: number): void {
    this.#doubles[Double.Address] = address;
    this.#doubles[Double.Bytes] = bytes;
  }

  /** An address of the payload (to the thread), or a pointer to the answer to an ioctl (to the reactor); 0: none. */
  get pointer(): number {
    return this.#doubles[Double.Pointer]!;
  }

  set pointer(value: number) {
    this.#doubles[Double.Pointer] = value;
  }

  get result(): number {
    return this.#words[Word.ResultLow]!;
  }

  get bigResult(): bigint {
    const high = BigInt(this.#words[Word.ResultHigh]!);
    return (high << 32n) | BigInt(this.#words[Word.ResultLow]! >>> 0);
  }

  setResult(value: number | bigint | undefined): void {
    const words = this.#words;
    if (typeof value === "bigint") {
      words[Word.ResultLow] = Number(BigInt.asIntN(32, value));
      words[Word.ResultHigh] = Number(BigInt.asIntN(32, value >> 32n));
    } else words[Word.ResultLow] = value ?? 0;
  }

  /** Has the reactor do something that has no result before what it is told next. False: there is no room. */
  addCall(number: number, values: readonly number[]): boolean {
    const { calls } = this;
    const end = calls[0]! + 2 + values.length;
    if (end > CALLS_WORDS) return false;
    let at = calls[0]! + 1;
    calls[at++] = number;
    for (let index = 0; index < values.length; index++) calls[at++] = values[index]!;
    calls[0] = end - 1;
    return true;
  }

  /** Messages that were posted on the port for this turn. */
  get posted(): number {
    return this.#words[Word.Posted]!;
  }

  set posted(count: number) {
    this.#words[Word.Posted] = count;
  }

  /** Whether the thread waits for the reactor. */
  get isReactors(): boolean {
    return Atomics.load(this.#words, Word.Turn) === Turn.Reactor;
  }

  /** Gives the turn to the thread. */
  tellThread(kind: number, value = 0): void {
    const words = this.#words;
    words[Word.Kind] = kind;
    words[Word.Value] = value;
    Atomics.store(words, Word.Turn, Turn.Thread);
    Atomics.notify(words, Word.Turn);
  }

  /** Gives the turn to the reactor, and waits until it comes back. */
  tellReactor(bellFd: number, kind: number, value = 0): void {
    this.#tell(bellFd, kind, value);
    while (Atomics.load(this.#words, Word.Turn) === Turn.Reactor) {
      Atomics.wait(this.#words, Word.Turn, Turn.Reactor);
    }
  }

  /** Gives the turn to the reactor for good. */
  tellLast(bellFd: number, kind: number): void {
    this.#tell(bellFd, kind, 0);
  }

  /** The thread has the turn from the start. */
  begin(): void {
    this.#words[Word.Turn] = Turn.Thread;
  }

  #tell(bellFd: number, kind: number, value: number): void {
    const words = this.#words;
    words[Word.Kind] = kind;
    words[Word.Value] = value;
    Atomics.store(words, Word.Turn, Turn.Reactor);
    signalEvent(bellFd);
  }
}
