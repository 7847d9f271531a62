// SPDX-License-Identifier: MIT
// What a component begins that moves bytes or extents, which lie in the host's memory until it has ended:
// requests to what is below, calls on files and connections.

import { ExtentFlag, Status } from "../../block/request.ts";
import { progressOf } from "./resources.ts";
import type { Services } from "./services.ts";
import { type Extent, lower, type Outcome, type Progress, upper } from "./values.ts";

/** What net_read fills in begins with room and number of bytes. */
const RECEIVED_HEAD_BYTES = 8;
const LIST_HEAD_BYTES = 8;
const EXTENT_BYTES = 16;
/** Extents that are taken at a time. */
const EXTENTS_MAX = 65536;

/** What is done with the memory of a request that has ended. */
type Kind = "data" | "received" | "extents" | "done";

/** Begins something with memory at `pointer` and the token that the host knows it by. Returns its status. */
export type Start = (pointer: number, token: number) => unknown;

interface Transfer {
  kind: Kind;
  pointer: number;
  bytes: number;
  /** By which the component knows it. */
  token: number;
}

/** What has ended, and how. */
export interface Ended {
  token: number;
  outcome: Outcome;
}

/** Tokens of components have 31 bits; the rest are of requests that hold memory. */
const TOKENS_HELD = 0x40000000;

/** `token` of a component as one of the core form. */
export function plainToken(token: number): number {
  // A component that does not keep to the package may have it signed.
  if (token >= 0 && token < 0x80000000) return token;
  throw new WebAssembly.RuntimeError(`it used the token ${token}; tokens have 31 bits`);
}

/** See the top of this file. */
export class Transfers {
  readonly #services: Services;
  /** Those that are under way, by the negative tokens that the host knows them by. */
  readonly #pending = new Map<number, Transfer>();
  #last = 0;

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Has `start` bring `bytes` bytes to a pointer. Returns them, or undefined where they come later.
   * `now`: the token 0 means to wait. Throws FailureError.
   */
  data(bytes: number, token: number, start: Start, now = false): Uint8Array | undefined {
    return this.#bytes(this.#transfer("data", bytes, token), start, now);
  }

  /** The same for what `start` makes of `bytes`, in their place. */
  exchanged(bytes: Uint8Array, token: number, start: Start): Uint8Array | undefined {
    const transfer = this.#transfer("data", bytes.length, token);
    return this.#bytes(transfer, (pointer, held) => {
      this.#services.memory.bytes.set(bytes, pointer);
      return start(pointer, held);
    });
  }

  /** As `data`, for up to `most` bytes, which `start` brings behind how many they may be and are. */
  received(most: number, token: number, start: Start): Uint8Array | undefined {
    const { memory } = this.#services;
    const transfer = this.#transfer("received", RECEIVED_HEAD_BYTES + most, token);
    return this.#bytes(transfer, (pointer, held) => {
      memory.view.setUint32(pointer, most, true);
      return start(pointer, held);
    });
  }

  /** Has `start` take `data` from a pointer. Throws FailureError. */
  sent(data: Uint8Array, token: number, start: Start, now = false): Progress {
    const transfer = this.#transfer("done", data.length, token);
    const status = this.#begin(transfer, (pointer, held) => {
      this.#services.memory.bytes.set(data, pointer);
      return start(pointer, held);
    }, now);
    return status === "pending" ? "pending" : "done";
  }

  extents(
    handle: number,
    child: number,
    count: bigint,
    offset: bigint,
    flags: number,
    most: number,
    token: number,
  ): Extent[] | undefined {
    const capacity = Math.max(1, Math.min(most, EXTENTS_MAX));
    const bytes = LIST_HEAD_BYTES + capacity * EXTENT_BYTES;
    const { core, memory } = this.#services;
    const transfer = this.#transfer("extents", bytes, token);
    const status = this.#begin(transfer, (pointer, held) => {
      memory.view.setUint32(pointer, capacity, true);
      memory.view.setUint32(pointer + 4, 0, true);
      return core.next_extents!(
        handle,
        child,
        0,
        pointer,
        upper(count),
        lower(count),
        upper(offset),
        lower(offset),
        flags,
        held,
      );
    });
    if (status === "pending") return undefined;
    return status.tag === "extents" ? status.val : undefined;
  }

  /** What the host calls `token` has ended with `errno`. */
  ended(token: number, errno: number, text: string): Ended {
    const transfer = this.#pending.get(token);
    this.#pending.delete(token);
    if (transfer !== undefined) {
      return { token: transfer.token, outcome: this.#finish(transfer, errno, text) };
    }
    return {
      token,
      outcome: errno === 0 ? { tag: "done" } : { tag: "failed", val: { errno, text } },
    };
  }

  /** Nobody will be told of what the host calls `token`, and nothing touches its memory any more. */
  drop(token: number): void {
    const transfer = this.#pending.get(token);
    if (transfer === undefined) return;
    this.#pending.delete(token);
    this.#services.exchange.free(transfer.pointer, transfer.bytes);
  }

  #bytes(transfer: Transfer, start: Start, now = false): Uint8Array | undefined {
    const status = this.#begin(transfer, start, now);
    if (status === "pending") return undefined;
    return status.tag === "data" ? status.val : undefined;
  }

  #transfer(kind: Kind, bytes: number, token: number): Transfer {
    plainToken(token);
    // What a component gives as bytes may have any length if it does not keep to the package.
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new WebAssembly.RuntimeError(`there is no memory of ${bytes} bytes`);
    }
    return { kind, pointer: this.#services.allocate(bytes), bytes, token };
  }

  #begin(transfer: Transfer, start: Start, now = false): Outcome | "pending" {
    if (now && transfer.token === 0) return this.#ended(transfer, start(transfer.pointer, 0));
    do this.#last = (this.#last + 1) % TOKENS_HELD; while (this.#pending.has(~this.#last));
    const token = ~this.#last;
    const status = start(transfer.pointer, token);
    if (status !== Status.Pending) return this.#ended(transfer, status);
    this.#pending.set(token, transfer);
    return "pending";
  }

  /** What has ended at once. Throws FailureError. */
  #ended(transfer: Transfer, status: unknown): Outcome {
    const outcome = this.#finish(transfer, status as number, "");
    if (status !== 0) progressOf(this.#services, status as number);
    return outcome;
  }

  #finish(transfer: Transfer, errno: number, text: string): Outcome {
    const { exchange, memory } = this.#services;
    const { kind, pointer, bytes } = transfer;
    memory.refresh();
    try {
      if (errno !== 0) return { tag: "failed", val: { errno, text } };
      // A copy, as the memory is free for others when this returns.
      if (kind === "data") {
        return { tag: "data", val: memory.bytes.slice(pointer, pointer + bytes) };
      }
      if (kind === "received") {
        const start = pointer + RECEIVED_HEAD_BYTES;
        const count = memory.view.getUint32(pointer + 4, true);
        return { tag: "data", val: memory.bytes.slice(start, start + count) };
      }
      return kind === "extents" ? { tag: "extents", val: this.#list(pointer) } : { tag: "done" };
    } finally {
      exchange.free(pointer, bytes);
    }
  }

  #list(pointer: number): Extent[] {
    const { view } = this.#services.memory;
    const count = view.getUint32(pointer + 4, true);
    return Array.from({ length: count }, (_, index) => {
      const at = pointer + LIST_HEAD_BYTES + index * EXTENT_BYTES;
      const flags = view.getUint32(at + 8, true);
      return {
        length: view.getBigUint64(at, true),
        hole: (flags & ExtentFlag.Hole) !== 0,
        zero: (flags & ExtentFlag.Zero) !== 0,
      };
    });
  }
}

/** `count` as a length. Traps where there is no such memory. */
export function lengthOf(count: bigint): number {
  if (count <= 0x7fffffffn) return Number(count);
  throw new WebAssembly.RuntimeError(`it read ${count} bytes at once`);
}
