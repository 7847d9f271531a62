// SPDX-License-Identifier: MIT
// Memory of the device under check for payloads and answers, given back when they are done with. What a
// plugin may not touch is looked after.

import type { Device } from "../block/device.ts";
import type { PayloadMemory } from "../block/memory.ts";
import type { ReplySpace, Request } from "../block/request.ts";

/** Bytes before and after each payload that belong to nobody. */
const GUARD = 64;
const GUARD_BYTE = 0xa5;
/** What a payload is overwritten with once its write is answered. */
const FORGOTTEN_BYTE = 0xee;

interface Lent {
  pointer: number;
  length: number;
}

/** See the top of this file. */
export class Lending implements ReplySpace {
  readonly #device: Device;
  readonly #lent = new Map<Request, Lent[]>();

  constructor(device: Device) {
    this.#device = device;
  }

  get memory(): PayloadMemory {
    return this.#device.memory;
  }

  take(request: Request, length: number): number {
    const { memory } = this;
    const pointer = memory.allocate(length, this.#device.bufferAlignment);
    if (pointer === 0) return 0;
    const lent = this.#lent.get(request.root) ?? [];
    lent.push({ pointer, length });
    this.#lent.set(request.root, lent);
    return memory.address + pointer;
  }

  /** Gives back what `request` was answered in. */
  giveBack(request: Request): void {
    for (const { pointer, length } of this.#lent.get(request) ?? []) {
      this.memory.free(pointer, length, this.#device.bufferAlignment);
    }
    this.#lent.delete(request);
  }

  /**
   * Puts a payload into memory; null where there is none. `check`, to be called once when the write is
   * answered, gives it back and says what is wrong with it: "" where nothing is. `isAnswer`: the answer takes
   * its place.
   */
  payload(
    bytes: Uint8Array,
    isAnswer = false,
  ): { address: number; check: () => string } | null {
    const { memory } = this;
    const alignment = this.#device.bufferAlignment;
    const guard = Math.max(GUARD, alignment);
    const length = bytes.length + 2 * guard;
    const pointer = memory.allocate(length, alignment);
    if (pointer === 0) return null;
    const from = pointer + guard;
    const to = from + bytes.length;
    memory.bytes.fill(GUARD_BYTE, pointer, pointer + length);
    memory.bytes.set(bytes, from);
    const check = () => {
      const expected = isAnswer ? memory.bytes.slice(from, to) : bytes;
      const fault = changed(memory.bytes, expected, pointer, from, to, pointer + length);
      memory.bytes.fill(FORGOTTEN_BYTE, pointer, pointer + length);
      memory.free(pointer, length, alignment);
      return fault;
    };
    return { address: memory.address + from, check };
  }
}

function changed(
  memory: Uint8Array,
  payload: Uint8Array,
  start: number,
  from: number,
  to: number,
  end: number,
): string {
  for (let at = start; at < end; at++) {
    const inside = at >= from && at < to;
    if (memory[at] === (inside ? payload[at - from] : GUARD_BYTE)) continue;
    const where = inside
      ? `byte ${at - from} of`
      : at < from
      ? `${from - at} bytes before`
      : `${at - to} bytes behind`;
    return `it changed memory of the host: ${where} the payload of a write`;
  }
  return "";
}
