// SPDX-License-Identifier: MIT
// Takes the answer that a plugin gives to one request, piece by piece, and believes none of it: the
// first thing that is wrong is remembered as a lie, which fails the request (ABI, "Answers").

import { Errno, ERRNO_MAX } from "../block/errno.ts";
import { ExtentFlag, PIECES_MAX, type Request, type RequestSink } from "../block/request.ts";
import { DataFlag, ZeroFlag } from "./abi.ts";
import type { PluginMemory } from "./memory.ts";
import type { NextHandle } from "./next_handle.ts";
import type { Part, PartPool } from "./part.ts";

/** What the plugin may answer with at the moment. */
export const Expect = {
  /** Nothing: there is no request, or one that is answered by its result alone. */
  Nothing: 0,
  /** Pieces of data. */
  Data: 1,
  /** Pieces of data which nobody wants; they are checked and forgotten. */
  DiscardedData: 2,
  Extents: 3,
} as const;

/** What has become of the call for a request. */
export const State = {
  /** The call is under way. */
  Called: 0,
  /** It has returned; the request is finished later. */
  Pending: 1,
  /** Its result is known, but parts of it are still under way below. */
  Settled: 2,
} as const;

/** Parts of one request that may be forwarded. */
export const PARTS_MAX = 4096;

const HIGH = 4294967296;
const EXTENT_FLAGS = ExtentFlag.Hole | ExtentFlag.Zero;

/** Memory of a plugin that an answer is being written to, when answers belong elsewhere. */
interface Loan {
  pointer: number;
  length: number;
  address: number;
}

/** See the top of this file. Reused for one request after the other. */
export class Answer {
  /** Number of the request for the plugin. */
  id = 0;
  /** What is wrong with the answer; empty while nothing is. */
  lie = "";
  /** Why the host could not take the answer, an errno; 0 while it could. */
  failure = 0;
  /** Where data goes that nobody wants, see Expect.DiscardedData. */
  scratch = 0;
  expect: number = Expect.Nothing;
  state: number = State.Called;
  request: Request | null = null;
  /** The function that was called for it. */
  call = "";
  /** Who goes on with the request when it was pending; null: its own sink. */
  owner: RequestSink | null = null;
  /** What is open below; null for a plugin that has nothing below it. */
  handle: NextHandle | null = null;
  /** Nothing was forwarded and nothing has to be given back: the usual case, and the fast one. */
  simple = true;
  /** Parts that are under way below, and the first errno of one of them. */
  partsPending = 0;
  partErrno = 0;
  partText = "";
  /** The request is finished by the host when no part is under way any more. */
  automatic = false;
  /** With State.Settled: the errno of the request. */
  errno = 0;
  /** A copy of the payload in the plugin's memory, to be given back. */
  copy = 0;
  copyLength = 0;

  /** Where the next piece begins, and where the request ends. */
  #next = 0;
  #end = 0;
  /** Where pieces go: the request itself until one has to wait for a part. */
  #target: Request | null = null;
  /** Pieces and parts behind the first part that was not answered at once, in order. */
  readonly parts: Part[] = [];
  #partCount = 0;
  readonly #loans: Loan[] = [];
  readonly #memory: PluginMemory;
  readonly #pool: PartPool;

  constructor(memory: PluginMemory, pool: PartPool) {
    this.#memory = memory;
    this.#pool = pool;
  }

  /** A call for `request` begins, `length` bytes of which the plugin is to answer. */
  begin(request: Request, expect: number, length: number): void {
    this.request = request;
    this.#target = request;
    this.expect = expect;
    this.#next = 0;
    this.#end = length;
    this.failure = 0;
    this.lie = "";
    this.state = State.Called;
    this.owner = null;
    this.handle = null;
    if (this.simple) return;
    this.simple = true;
    this.partErrno = 0;
    this.automatic = false;
    this.#partCount = 0;
  }

  /** Where the next piece belongs. */
  get next(): number {
    return this.#next;
  }

  /** Bytes of the request. */
  get length(): number {
    return this.#end;
  }

  /** Whether everything is answered, after a call with the status 0. Otherwise a lie is set. */
  complete(): void {
    if (this.expect === Expect.Extents) {
      if (this.#next === 0) this.lied("it reported no extent");
    } else if (this.#next !== this.#end && this.expect !== Expect.Nothing) {
      this.lied(`it answered ${this.#next} of ${this.#end} bytes`);
    }
  }

  /** Puts the answer together that came in parts, and gives back what it lay in. */
  assemble(succeeded: boolean): void {
    const request = this.request!;
    if (this.parts.length > 0) {
      if (succeeded && !this.#merge(request)) this.lied(`more than ${PIECES_MAX} pieces`);
      for (const part of this.parts) this.#pool.give(part);
      this.parts.length = 0;
    }
    if (this.#loans.length > 0) this.#returnLoans(succeeded);
    if (this.copy !== 0) {
      this.#memory.free(this.copy, this.copyLength, 16);
      this.copy = 0;
    }
  }

  /** Forgets the request. */
  end(): void {
    this.request = null;
  }

  /** Remembers the first lie; "" is none. */
  lied(fact: string): void {
    if (this.lie === "") this.lie = fact;
  }

  data(at: number, pointer: number, length: number, flags: number): void {
    if (!this.#accepts("reply_data", at, length)) return;
    this.#memory.refresh();
    if (!this.#memory.contains(pointer, length)) {
      this.lied(`reply_data: ${length} bytes at ${pointer} are not in its memory`);
      return;
    }
    if (flags & ~DataFlag.Stable) {
      this.lied(`reply_data: unknown flags 0x${flags.toString(16)}`);
      return;
    }
    this.#next = at + length;
    if (this.expect === Expect.DiscardedData) return;
    if (flags & DataFlag.Stable) {
      this.#to().data(at, this.#memory.address + pointer, length, true);
      return;
    }
    const address = this.#take(length);
    if (address === 0) return;
    const { memory } = this.request!.space;
    const { bytes } = this.#memory;
    if (memory === this.#memory) {
      bytes.copyWithin(address - memory.address, pointer, pointer + length);
    } else memory.bytes.set(bytes.subarray(pointer, pointer + length), address - memory.address);
    this.#to().data(at, address, length, false);
  }

  buffer(at: number, length: number): number {
    if (!this.#accepts("reply_buffer", at, length)) return 0;
    this.#next = at + length;
    if (this.expect === Expect.DiscardedData) return this.scratch + at;
    const address = this.#take(length);
    if (address === 0) return 0;
    const own = this.request!.space.memory === this.#memory;
    const pointer = own ? address - this.#memory.address : this.#lend(address, length);
    if (pointer !== 0) this.#to().data(at, address, length, false);
    return pointer;
  }

  zero(at: number, length: number, flags: number): void {
    if (!this.#accepts("reply_zero", at, length)) return;
    if (flags & ~ZeroFlag.Hole) {
      this.lied(`reply_zero: unknown flags 0x${flags.toString(16)}`);
      return;
    }
    this.#next = at + length;
    if (this.expect === Expect.Data) this.#to().zero(at, length, flags !== 0);
  }

  error(at: number, length: number, errno: number): void {
    if (!this.#accepts("reply_error", at, length)) return;
    if (errno < 1 || errno > ERRNO_MAX) {
      this.lied(`reply_error: ${errno} is no errno; they are 1 to ${ERRNO_MAX}`);
      return;
    }
    this.#next = at + length;
    if (this.expect === Expect.Data) this.#to().fail(at, length, errno);
  }

  extent(lengthHigh: number, lengthLow: number, flags: number): void {
    if (this.lie !== "" || this.failure !== 0) return;
    if (this.expect !== Expect.Extents) {
      this.lied("extent: it was not asked for extents");
    } else if (lengthHigh + lengthLow === 0) {
      this.lied("extent: the length is 0");
    } else if (flags & ~EXTENT_FLAGS) {
      this.lied(`extent: unknown flags 0x${flags.toString(16)}`);
    } else {
      this.#next = 1;
      // Extents may stop short of the end, so those that are too many can be left out.
      const target = this.#to();
      if (target.pieceCount < PIECES_MAX) target.extent(lengthHigh, lengthLow, flags);
    }
  }

  /** Whether the answer may be added to by forwarding `count` bytes at `at`; else a lie is set. */
  acceptsPart(at: number, count: number): boolean {
    const call = "next_forward";
    if (this.expect === Expect.Data || this.expect === Expect.DiscardedData) {
      if (!this.#accepts(call, at, count)) return false;
    } else {
      if (this.lie !== "" || this.failure !== 0) return false;
      if (at > this.#end || count > this.#end - at) {
        this.lied(`${call}: ${count} bytes at ${at} reach beyond the ${this.#end} requested`);
        return false;
      }
    }
    this.simple = false;
    if (this.#partCount++ < PARTS_MAX) return true;
    this.lied(`${call}: more than ${PARTS_MAX} parts`);
    return false;
  }

  /** Adds what a part was answered with at once. False when there is no more room for pieces. */
  addPart(part: Part): boolean {
    if (this.expect === Expect.Nothing) return true;
    this.#next = this.expect === Expect.Extents ? 1 : part.at + part.count;
    if (this.expect === Expect.DiscardedData) return true;
    return part.appendTo(this.#to());
  }

  /** Notes that a part will be answered later. */
  awaitPart(part: Part): void {
    this.simple = false;
    this.partsPending++;
    if (this.expect === Expect.Nothing) return;
    this.#next = this.expect === Expect.Extents ? 1 : part.at + part.count;
    this.parts.push(part);
    this.#target = null;
  }

  /** Takes a part out that has failed, so that it can be asked for somewhere else. */
  dropPart(part: Part): void {
    const index = this.parts.indexOf(part);
    if (index >= 0) this.parts.splice(index, 1);
    if (this.expect === Expect.Extents) {
      if (this.parts.length === 0 && this.request!.pieceCount === 0) this.#next = 0;
    } else if (part.at + part.count === this.#next) this.#next = part.at;
  }

  /** Where pieces go now. */
  #to(): Request {
    if (this.#target !== null) return this.#target;
    const filler = this.#pool.take();
    filler.at = 0;
    filler.count = 0;
    this.parts.push(filler);
    this.#target = filler;
    return filler;
  }

  /** Whether `length` bytes at `at` are the next piece of the answer. */
  #accepts(call: string, at: number, length: number): boolean {
    if (this.lie !== "" || this.failure !== 0) return false;
    if (this.expect !== Expect.Data && this.expect !== Expect.DiscardedData) {
      this.lied(`${call}: it was not asked for data`);
    } else if (length === 0) {
      this.lied(`${call}: the length is 0`);
    } else if (at !== this.#next) {
      this.lied(this.#misplaced(call, at));
    } else if (length > this.#end - at) {
      this.lied(`${call}: ${length} bytes at ${at} reach beyond the ${this.#end} requested`);
    } else if (this.#target !== null && this.#target.pieceCount >= PIECES_MAX) {
      this.lied(`${call}: more than ${PIECES_MAX} pieces`);
    } else {
      return true;
    }
    return false;
  }

  #misplaced(call: string, at: number): string {
    const next = this.#next;
    return at < next
      ? `${call}: the piece at ${at} overlaps what is answered already, up to ${next}`
      : `${call}: the piece at ${at} leaves a gap after ${next}`;
  }

  /** Address of room for `length` bytes where answers belong; 0 where there is none. */
  #take(length: number): number {
    const { space } = this.request!;
    const address = space.take(this.request!, length);
    this.#memory.refresh();
    if (address === 0) this.failure = Errno.ENOMEM;
    else if (space.memory === this.#memory) {
      if (!this.#memory.contains(address - this.#memory.address, length)) {
        throw new RangeError("Room for an answer lies outside of the memory");
      }
    }
    return address;
  }

  #lend(address: number, length: number): number {
    const pointer = this.#memory.allocate(length, 16);
    if (pointer === 0) this.failure = Errno.ENOMEM;
    else {
      this.simple = false;
      this.#loans.push({ pointer, length, address });
    }
    return pointer;
  }

  #returnLoans(succeeded: boolean): void {
    const { memory } = this.request!.space;
    for (const { pointer, length, address } of this.#loans) {
      const bytes = this.#memory.bytes.subarray(pointer, pointer + length);
      if (succeeded) memory.bytes.set(bytes, address - memory.address);
      this.#memory.free(pointer, length, 16);
    }
    this.#loans.length = 0;
  }

  #merge(request: Request): boolean {
    if (this.expect !== Expect.Extents) {
      return this.parts.every((part) => part.appendTo(request));
    }
    // Extents follow on one another, so nothing counts behind a part that stops short of its end.
    for (const part of this.parts) {
      if (!part.appendTo(request)) return true;
      if (part.count > 0 && part.extentBytes() < part.count) return true;
    }
    return true;
  }
}

/** A 64-bit number out of the halves that crossed as i32; exact below 2^53, else merely large. */
export function joined(high: number, low: number): number {
  return (high >>> 0) * HIGH + (low >>> 0);
}
