// SPDX-License-Identifier: MIT
// Takes the answer that a plugin gives to one request, piece by piece, and believes none of it: the
// first thing that is wrong is remembered as a lie, which fails the request (ABI, "Answers").

import { Errno, ERRNO_MAX } from "../block/errno.ts";
import { ExtentFlag, PIECES_MAX, type Request } from "../block/request.ts";
import { DataFlag, ZeroFlag } from "./abi.ts";
import type { PluginMemory } from "./memory.ts";

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

const HIGH = 4294967296;
/** Request ids are positive; 0 is none. */
const ID_MAX = 0x7fffffff;
const EXTENT_FLAGS = ExtentFlag.Hole | ExtentFlag.Zero;

/** See the top of this file. One per instance, used for one request after the other. */
export class Answer {
  /** Id of the request that the plugin is called for; 0 when there is none. */
  id = 0;
  /** What is wrong with the answer; empty while nothing is. */
  lie = "";
  /** Why the host could not take the answer, an errno; 0 while it could. */
  failure = 0;
  /** Where data goes that nobody wants, see Expect.DiscardedData. */
  scratch = 0;

  #request: Request | null = null;
  #expect: number = Expect.Nothing;
  /** Where the next piece begins, and where the request ends. */
  #next = 0;
  #end = 0;
  #lastId = 0;
  readonly #memory: PluginMemory;

  constructor(memory: PluginMemory) {
    this.#memory = memory;
  }

  /** A call for `request` begins, `length` bytes of which the plugin is to answer. Gives it an id. */
  begin(request: Request, expect: number, length: number): number {
    this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    this.id = this.#lastId;
    this.#request = request;
    this.#expect = expect;
    this.#next = 0;
    this.#end = length;
    this.failure = 0;
    return this.id;
  }

  /** The call has ended with the status 0: whether everything is answered. Otherwise a lie is set. */
  complete(): void {
    if (this.#expect === Expect.Extents) {
      if (this.#next === 0) this.lied("it reported no extent");
    } else if (this.#next !== this.#end && this.#expect !== Expect.Nothing) {
      this.lied(`it answered ${this.#next} of ${this.#end} bytes`);
    }
  }

  /** The call has ended. */
  end(): void {
    this.id = 0;
    this.#request = null;
    this.#expect = Expect.Nothing;
  }

  /** Remembers the first lie; "" is none. */
  lied(fact: string): void {
    if (this.lie === "") this.lie = fact;
  }

  data(id: number, at: number, pointer: number, length: number, flags: number): void {
    if (!this.#accepts("reply_data", id, at, length)) return;
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
    if (this.#expect === Expect.DiscardedData) return;
    if (flags & DataFlag.Stable) {
      this.#request!.data(at, this.#memory.address + pointer, length, true);
      return;
    }
    const room = this.#take(length);
    if (room === 0) return;
    this.#memory.bytes.copyWithin(room, pointer, pointer + length);
    this.#request!.data(at, this.#memory.address + room, length, false);
  }

  buffer(id: number, at: number, length: number): number {
    if (!this.#accepts("reply_buffer", id, at, length)) return 0;
    this.#next = at + length;
    if (this.#expect === Expect.DiscardedData) return this.scratch + at;
    const room = this.#take(length);
    if (room !== 0) this.#request!.data(at, this.#memory.address + room, length, false);
    return room;
  }

  zero(id: number, at: number, length: number, flags: number): void {
    if (!this.#accepts("reply_zero", id, at, length)) return;
    if (flags & ~ZeroFlag.Hole) {
      this.lied(`reply_zero: unknown flags 0x${flags.toString(16)}`);
      return;
    }
    this.#next = at + length;
    if (this.#expect === Expect.Data) this.#request!.zero(at, length, flags !== 0);
  }

  error(id: number, at: number, length: number, errno: number): void {
    if (!this.#accepts("reply_error", id, at, length)) return;
    if (errno < 1 || errno > ERRNO_MAX) {
      this.lied(`reply_error: ${errno} is no errno; they are 1 to ${ERRNO_MAX}`);
      return;
    }
    this.#next = at + length;
    if (this.#expect === Expect.Data) this.#request!.fail(at, length, errno);
  }

  extent(id: number, lengthHigh: number, lengthLow: number, flags: number): void {
    if (!this.#isFor("extent", id)) return;
    if (this.#expect !== Expect.Extents) {
      this.lied("extent: it was not asked for extents");
    } else if (lengthHigh + lengthLow === 0) {
      this.lied("extent: the length is 0");
    } else if (flags & ~EXTENT_FLAGS) {
      this.lied(`extent: unknown flags 0x${flags.toString(16)}`);
    } else {
      this.#next = 1;
      // Extents may stop short of the end, so those that are too many can be left out.
      const request = this.#request!;
      if (request.pieceCount < PIECES_MAX) request.extent(lengthHigh, lengthLow, flags);
    }
  }

  /** Whether a call that names the request `id` is for the one under way. */
  #isFor(call: string, id: number): boolean {
    if (this.lie !== "" || this.failure !== 0) return false;
    if (id === this.id && id !== 0) return true;
    this.lied(
      this.id === 0
        ? `${call}: there is no request`
        : `${call}: request ${id} is not the one under way, ${this.id}`,
    );
    return false;
  }

  /** Whether `length` bytes at `at` are the next piece of the request `id`. */
  #accepts(call: string, id: number, at: number, length: number): boolean {
    if (!this.#isFor(call, id)) return false;
    if (this.#expect !== Expect.Data && this.#expect !== Expect.DiscardedData) {
      this.lied(`${call}: it was not asked for data`);
    } else if (length === 0) {
      this.lied(`${call}: the length is 0`);
    } else if (at !== this.#next) {
      this.lied(this.#misplaced(call, at));
    } else if (length > this.#end - at) {
      this.lied(`${call}: ${length} bytes at ${at} reach beyond the ${this.#end} requested`);
    } else if (this.#request!.pieceCount >= PIECES_MAX) {
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

  #take(length: number): number {
    const address = this.#request!.space.take(this.#request!, length);
    this.#memory.refresh();
    const room = address === 0 ? 0 : address - this.#memory.address;
    if (room === 0) this.failure = Errno.ENOMEM;
    else if (!this.#memory.contains(room, length)) {
      throw new RangeError("Room for an answer lies outside of the memory");
    }
    return room;
  }
}

/** A 64-bit number out of the halves that crossed as i32; exact below 2^53, else merely large. */
export function joined(high: number, low: number): number {
  return (high >>> 0) * HIGH + (low >>> 0);
}
