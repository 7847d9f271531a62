// SPDX-License-Identifier: MIT
// What the parts of one component's adapter share.

import { Errno } from "../../block/errno.ts";
import type { Host } from "../host.ts";
import type { PluginMemory } from "../memory.ts";
import { FailureError } from "./values.ts";
import type { Exchange } from "./exchange.ts";
import type { Request } from "./resources.ts";
import type { Transfers } from "./transfers.ts";

const encoder = new TextEncoder();

/** Functions of the host in the core form: pointers, counts and offsets come in halves. */
export type CoreFunctions = Record<string, (...values: (number | bigint)[]) => unknown>;

/** See the top of this file. */
export class Services {
  readonly host: Host;
  readonly core: CoreFunctions;
  readonly exchange: Exchange;
  transfers!: Transfers;
  /** The request whose call is under way; null outside of such calls. */
  running: Request | null = null;
  /** Why it may not have opened again what is below it; "" where it may. */
  reopenFault = "";

  constructor(host: Host, core: CoreFunctions, exchange: Exchange) {
    this.host = host;
    this.core = core;
    this.exchange = exchange;
  }

  /** The memory of `exchange`. */
  get memory(): PluginMemory {
    return this.host.memory;
  }

  /** Memory for bytes that come or go. Throws FailureError. */
  allocate(length: number): number {
    const pointer = this.exchange.allocate(length, 16);
    this.memory.refresh();
    if (pointer !== 0) return pointer;
    throw new FailureError({ errno: Errno.ENOMEM, text: `there is no room for ${length} bytes` });
  }

  /** Calls `use` with the bytes of `text` in memory. */
  text<T>(text: string, use: (pointer: number, length: number) => T): T {
    const bytes = encoder.encode(text);
    return this.lend(bytes.length, (pointer) => {
      this.memory.bytes.set(bytes, pointer);
      return use(pointer, bytes.length);
    });
  }

  /** Calls `use` with a pointer to `length` bytes. */
  lend<T>(length: number, use: (pointer: number) => T): T {
    const pointer = this.allocate(length);
    try {
      return use(pointer);
    } finally {
      this.exchange.free(pointer, length);
    }
  }
}
