// SPDX-License-Identifier: MIT
// Takes the answer that a plugin gives to one request, piece by piece, and believes none of it: the
// first thing that is wrong is remembered as a lie, which fails the request (ABI, "Answers").

import { Errno, ERRNO_MAX } from "../block/errno.ts";
import { ExtentFlag, PIECES_MAX, type Request } from "../block/request.ts";
import { type ZoneInfo, zoneState } from "../block/zones.ts";
import { DataFlag, ZeroFlag } from "./abi.ts";
import { AnswerParts } from "./answer_parts.ts";
import { Loans } from "./loans.ts";
import type { PluginMemory } from "./memory.ts";
import type { PartPool } from "./part.ts";
import { hasPointer, zoneFault } from "./zones.ts";

/** What the plugin may answer with at the moment. */
export const Expect = {
  /** Nothing: there is no request, or one that is answered by its result alone. */
  Nothing: 0,
  /** Pieces of data. */
  Data: 1,
  /** Pieces of data which nobody wants; they are checked and forgotten. */
  DiscardedData: 2,
  Extents: 3,
  Zones: 4,
  /** Where an append has written. */
  Place: 5,
} as const;

const HIGH = 4294967296;
const EXTENT_FLAGS = ExtentFlag.Hole | ExtentFlag.Zero;

/** See the top of this file. */
export class AnswerPieces {
  /** What is wrong with the answer; empty while nothing is. */
  lie = "";
  /** Why the host could not take the answer, an errno; 0 while it could. */
  failure = 0;
  /** Where all data goes that nobody wants, see Expect.DiscardedData. */
  scratch = 0;
  expect: number = Expect.Nothing;
  request: Request | null = null;
  /** What zones may be like, see Expect.Zones and Expect.Place; and how large their blocks are. */
  zones: ZoneInfo | null = null;
  zoneBlock = 1;
  /** Nothing was forwarded and nothing has to be given back: the usual case, and the fast one. */
  simple = true;

  /** Where the next piece begins, and where the request ends. */
  protected nextAt = 0;
  protected end = 0;
  protected readonly parts: AnswerParts;
  protected readonly loans: Loans;
  readonly #memory: PluginMemory;

  constructor(memory: PluginMemory, pool: PartPool) {
    this.#memory = memory;
    this.loans = new Loans(memory);
    this.parts = new AnswerParts(pool);
  }

  /** Remembers the first lie; "" is none. */
  lied(fact: string): void {
    if (this.lie === "") this.lie = fact;
  }

  data(at: number, pointer: number, length: number, flags: number): void {
    if (!this.accepts("reply_data", at, length)) return;
    this.#memory.refresh();
    if (!this.#memory.contains(pointer, length)) {
      this.lied(`reply_data: ${length} bytes at ${pointer} are not in its memory`);
      return;
    }
    if (flags & ~DataFlag.Stable) {
      this.lied(`reply_data: unknown flags 0x${flags.toString(16)}`);
      return;
    }
    this.nextAt = at + length;
    if (this.expect === Expect.DiscardedData) return;
    if (flags & DataFlag.Stable && !this.#memory.vanishes) {
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
    if (!this.accepts("reply_buffer", at, length)) return 0;
    this.nextAt = at + length;
    if (this.expect === Expect.DiscardedData) return this.scratch;
    const address = this.#take(length);
    if (address === 0) return 0;
    const own = this.request!.space.memory === this.#memory;
    const pointer = own ? address - this.#memory.address : this.#lend(length, address);
    if (pointer !== 0) this.#to().data(at, address, length, false);
    return pointer;
  }

  zero(at: number, length: number, flags: number): void {
    if (!this.accepts("reply_zero", at, length)) return;
    if (flags & ~ZeroFlag.Hole) {
      this.lied(`reply_zero: unknown flags 0x${flags.toString(16)}`);
      return;
    }
    this.nextAt = at + length;
    if (this.expect === Expect.Data) this.#to().zero(at, length, flags !== 0);
  }

  error(at: number, length: number, errno: number): void {
    if (!this.accepts("reply_error", at, length)) return;
    if (errno < 1 || errno > ERRNO_MAX) {
      this.lied(`reply_error: ${errno} is no errno; they are 1 to ${ERRNO_MAX}`);
      return;
    }
    this.nextAt = at + length;
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
      this.nextAt = 1;
      if (this.parts.ended) return;
      // Extents may stop short of the end, so those that are too many can be left out.
      const target = this.#to();
      if (target.pieceCount < PIECES_MAX) target.extent(lengthHigh, lengthLow, flags);
    }
  }

  zone(
    start: number,
    length: number,
    capacity: number,
    pointer: number,
    type: number,
    condition: number,
  ): void {
    if (this.lie !== "" || this.failure !== 0) return;
    if (this.expect !== Expect.Zones) return this.lied("zone: it was not asked for zones");
    const { offset } = this.request!;
    const { size } = this.zones!;
    if (this.nextAt === this.end) return this.lied("zone: it was not asked for so many");
    if (start !== offset + this.nextAt) {
      return this.lied(
        `zone: one at ${start}, where the next one begins at ${offset + this.nextAt}`,
      );
    }
    if (length !== size) return this.lied(`zone: a length of ${length}; all have ${size}`);
    const fault = zoneFault(this.zones!, this.zoneBlock, start, capacity, pointer, type, condition);
    if (fault !== "") return this.lied(`zone: ${fault}`);
    if (this.parts.full) return this.lied(`zone: more than ${PIECES_MAX} zones`);
    this.nextAt += size;
    const written = hasPointer(condition) ? pointer - start : size;
    this.#to().zone(capacity, written, zoneState(type, condition));
  }

  appended(at: number): void {
    if (this.lie !== "" || this.failure !== 0) return;
    const call = "zone_appended";
    if (this.expect !== Expect.Place) return this.lied(`${call}: it was not asked to append`);
    if (this.nextAt !== 0) return this.lied(`${call}: it has said that already`);
    const { offset } = this.request!;
    const inside = at >= offset && at + this.end <= offset + this.zones!.capacity;
    if (!inside || at % this.zoneBlock !== 0) {
      return this.lied(`${call}: ${this.end} bytes at ${at} are not in the zone at ${offset}`);
    }
    this.nextAt = this.end;
    this.#to().appended(at);
  }

  /** Whether `length` bytes at `at` are the next piece of the answer; else a lie is set. */
  accepts(call: string, at: number, length: number): boolean {
    if (this.lie !== "" || this.failure !== 0) return false;
    if (this.expect !== Expect.Data && this.expect !== Expect.DiscardedData) {
      this.lied(`${call}: it was not asked for data`);
    } else if (length === 0) {
      this.lied(`${call}: the length is 0`);
    } else if (at !== this.nextAt) {
      this.lied(this.#misplaced(call, at));
    } else if (length > this.end - at) {
      this.lied(`${call}: ${length} bytes at ${at} reach beyond the ${this.end} requested`);
    } else if (this.parts.full) {
      this.lied(`${call}: more than ${PIECES_MAX} pieces`);
    } else {
      return true;
    }
    return false;
  }

  #misplaced(call: string, at: number): string {
    const next = this.nextAt;
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

  #lend(length: number, address: number): number {
    this.simple = false;
    const pointer = this.loans.lend(length, address);
    if (pointer === 0) this.failure = Errno.ENOMEM;
    return pointer;
  }

  /** Where pieces go now. */
  #to(): Request {
    return this.parts.target ?? this.parts.filler();
  }
}

/** A 64-bit number out of the halves that crossed as i32; exact below 2^53, else merely large. */
export function joined(high: number, low: number): number {
  return (high >>> 0) * HIGH + (low >>> 0);
}
