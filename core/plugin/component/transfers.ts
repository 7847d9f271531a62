// SPDX-License-Identifier: MIT
// Requests of a filter to what is below it that move bytes or extents, which lie in the host's memory
// until they have ended.

import { ExtentFlag, Status } from "../../block/request.ts";
import { progressOf } from "./resources.ts";
import type { Services } from "./services.ts";
import { type Extent, lower, type Outcome, type Progress, upper } from "./values.ts";

const LIST_HEAD_BYTES = 8;
const EXTENT_BYTES = 16;
/** Extents that are taken at a time. */
const EXTENTS_MAX = 65536;

/** What is done with the memory of a request that has ended. */
type Kind = "data" | "extents" | "done";

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
  if (token < 0x80000000) return token;
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

  read(
    handle: number,
    child: number,
    count: bigint,
    offset: bigint,
    token: number,
  ): Uint8Array | undefined {
    const bytes = lengthOf(count);
    const { core } = this.#services;
    const transfer = this.#transfer("data", bytes, token);
    const status = this.#begin(transfer, (pointer, held) => {
      return core.next_pread!(
        handle,
        child,
        0,
        pointer,
        upper(count),
        lower(count),
        upper(offset),
        lower(offset),
        0,
        held,
      );
    });
    if (status === "pending") return undefined;
    return status.tag === "data" ? status.val : undefined;
  }

  write(
    handle: number,
    child: number,
    data: Uint8Array,
    offset: bigint,
    flags: number,
    token: number,
  ): Progress {
    const bytes = data.length;
    const { core, memory } = this.#services;
    const transfer = this.#transfer("done", bytes, token);
    const status = this.#begin(transfer, (pointer, held) => {
      memory.bytes.set(data, pointer);
      return core.next_pwrite!(
        handle,
        child,
        0,
        pointer,
        0,
        bytes,
        upper(offset),
        lower(offset),
        flags,
        held,
      );
    });
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

  #transfer(kind: Kind, bytes: number, token: number): Transfer {
    plainToken(token);
    return { kind, pointer: this.#services.allocate(bytes), bytes, token };
  }

  #begin(
    transfer: Transfer,
    start: (pointer: number, token: number) => unknown,
  ): Outcome | "pending" {
    do this.#last = (this.#last + 1) % TOKENS_HELD; while (this.#pending.has(~this.#last));
    const token = ~this.#last;
    const status = start(transfer.pointer, token) as number;
    if (status === Status.Pending) {
      this.#pending.set(token, transfer);
      return "pending";
    }
    const outcome = this.#finish(transfer, status, "");
    if (status !== 0) progressOf(this.#services, status);
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

function lengthOf(count: bigint): number {
  if (count <= 0x7fffffffn) return Number(count);
  throw new WebAssembly.RuntimeError(`it read ${count} bytes at once`);
}
