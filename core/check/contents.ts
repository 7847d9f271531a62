// SPDX-License-Identifier: MIT
// An open export together with what it must hold: reads are compared, writes remembered.

import type { OpenExport } from "../block/device.ts";
import type { Capabilities } from "../block/export.ts";
import { Command, RequestFlag } from "../block/request.ts";
import { toBigInt } from "../block/uint64.ts";
import { type Area, areasOf } from "./area.ts";
import { Fault, inWords, type Kit } from "./kit.ts";
import type { Operation } from "./operation.ts";
import type { Session } from "./session.ts";
import type { Writes } from "./subject.ts";

/** Bytes that are read at a time where it does not matter. */
const CHUNK = 128 * 1024;

/** See the top of this file. Positions are relative to an area. */
export class Contents {
  readonly areas: readonly Area[];
  readonly size: bigint;
  /** All requests are multiples of this many bytes, and at most so many. */
  readonly block: number;
  readonly most: number;

  constructor(
    readonly kit: Kit,
    readonly session: Session,
    readonly to: OpenExport,
    areas?: readonly Area[],
  ) {
    const { sizeHigh, sizeLow, blockSize } = to.info;
    this.size = toBigInt(sizeHigh, sizeLow);
    this.block = blockSize.minimum;
    const most = Math.min(blockSize.maximum, 32 * 1024 * 1024);
    this.most = most - most % blockSize.minimum;
    this.areas = areas ?? areasOf(this.size, this.block);
  }

  /** The same contents through another export of the same device, or of another. */
  through(to: OpenExport, session = this.session): Contents {
    return new Contents(this.kit, session, to, this.areas);
  }

  /** Reads everything once, or a range, and takes it for what must be there. */
  async load(area?: Area, at = 0, length = 0): Promise<this> {
    if (area !== undefined) {
      const { bytes } = await this.kit.must(this.session, this.to, this.#at(area, at, length));
      area.write(at, bytes);
      return this;
    }
    for (const one of this.areas) {
      for (const [from, count] of this.#chunks(one)) await this.load(one, from, count);
    }
    return this;
  }

  /** Writes everything. What is there has to be known where writes do not change it. */
  async overwrite(): Promise<this> {
    if (this.#writes !== "keep") await this.load();
    for (const area of this.areas) {
      for (const [at, length] of this.#chunks(area)) {
        await this.write(area, at, length);
      }
    }
    return this;
  }

  /** Compares everything. */
  async verify(after: string): Promise<void> {
    for (const area of this.areas) {
      for (const [at, length] of this.#chunks(area)) await this.read(area, at, length, after);
    }
  }

  /** Reads and compares. */
  async read(area: Area, at: number, length: number, after = ""): Promise<Uint8Array> {
    const operation = this.#at(area, at, length);
    const { bytes } = await this.kit.must(this.session, this.to, operation);
    const difference = area.difference(at, bytes);
    if (difference === "") return bytes;
    const context = after === "" ? inWords(operation) : `after ${after}, ${inWords(operation)}`;
    throw new Fault(`${context}: ${difference}`);
  }

  /** Compares what lies around a range, and the range. */
  async verifyAround(area: Area, at: number, length: number, after: string): Promise<void> {
    const margin = Math.max(8192, this.block);
    const from = Math.max(0, at - margin);
    const to = Math.min(area.length, at + length + margin);
    for (let start = from; start < to; start += CHUNK) {
      await this.read(area, start, Math.min(CHUNK, to - start), after);
    }
  }

  /** Writes new bytes, or those that are there where no others are accepted. */
  async write(area: Area, at: number, length: number, flags = 0): Promise<Operation> {
    const bytes = this.newBytes(area, at, length);
    const operation = { ...this.#at(area, at, length, Command.Write, flags), bytes };
    await this.kit.must(this.session, this.to, operation);
    this.applied(operation, area, at);
    return operation;
  }

  /** What can be written to a range. */
  newBytes(area: Area, at: number, length: number): Uint8Array {
    return this.#writes === "same"
      ? area.bytes.slice(at, at + length)
      : this.kit.random.bytes(length);
  }

  /** An operation on an area, at `at`, has succeeded. */
  applied({ command, bytes, length = 0 }: Operation, area: Area, at: number): void {
    if (this.#writes === "drop") return;
    if (command === Command.Write) area.write(at, bytes!);
    else if (command === Command.WriteZeroes) area.fill(at, length, 0);
    else if (command === Command.Trim || command === Command.SecureErase) area.forget(at, length);
  }

  async zero(area: Area, at: number, length: number, flags = 0): Promise<Operation> {
    const operation = this.#at(area, at, length, Command.WriteZeroes, flags);
    await this.kit.must(this.session, this.to, operation);
    this.applied(operation, area, at);
    return operation;
  }

  async trim(area: Area, at: number, length: number, flags = 0): Promise<Operation> {
    const operation = this.#at(area, at, length, Command.Trim, flags);
    await this.kit.must(this.session, this.to, operation);
    this.applied(operation, area, at);
    return operation;
  }

  /** The extents of a range; what they say to be zero must be so. */
  async extents(
    area: Area,
    at: number,
    length: number,
    flags = 0,
  ): Promise<{ at: number; length: number; flags: number }[]> {
    const operation = this.#at(area, at, length, Command.BlockStatus, flags);
    const outcome = await this.kit.must(this.session, this.to, operation);
    const extents: { at: number; length: number; flags: number }[] = [];
    let from = at;
    for (const extent of outcome.extents) {
      const bytes = Math.min(Number(extent.length), at + length - from);
      if (bytes > 0) extents.push({ at: from, length: bytes, flags: extent.flags });
      from += bytes;
    }
    return extents;
  }

  operation(area: Area, at: number, length: number, command: number, flags = 0): Operation {
    return this.#at(area, at, length, command, flags);
  }

  /** Whether the device can do this, other than by emulation where `natively`. */
  can(name: keyof Capabilities, natively = false): boolean {
    // Where only the same bytes may be written, nothing can be made zero.
    const zeroes = ["zero", "fastZero", "trim", "secureErase"].includes(name);
    if (zeroes && this.#writes === "same") return false;
    // Zones are not written anywhere and in any order: that has a check of its own.
    if ((zeroes || name === "write") && this.to.info.zones !== undefined) return false;
    return this.to.info.can[name] > (natively ? 1 : 0);
  }

  get #writes(): Writes {
    return this.kit.subject.options.writes;
  }

  /** The FUA flag where the device has FUA. */
  get fua(): number {
    return this.can("fua") ? RequestFlag.Fua : 0;
  }

  *#chunks(area: Area): Generator<[at: number, length: number]> {
    const step = Math.min(CHUNK, this.most);
    for (let at = 0; at < area.length; at += step) yield [at, Math.min(step, area.length - at)];
  }

  #at(
    area: Area,
    at: number,
    length: number,
    command: number = Command.Read,
    flags = 0,
  ): Operation {
    return { command, offset: area.base + BigInt(at), length, flags };
  }
}
