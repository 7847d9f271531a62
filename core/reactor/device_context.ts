// SPDX-License-Identifier: MIT
// A device on its reactor, with what all connections to it share: memory, room for answers, requests.

import type { Device } from "../block/device.ts";
import { BufferPool } from "./buffer_pool.ts";
import { Gather } from "./gather.ts";
import { RequestPool } from "./inflight_request.ts";
import { ReplyArena } from "./reply_arena.ts";

/** See the top of this file. */
export class DeviceContext {
  readonly pool: BufferPool;
  readonly arena: ReplyArena;
  readonly requests = new RequestPool();
  /** Requests that the device has not finished. */
  pending = 0;

  readonly #idleGathers: Gather[] = [];
  /** Gathers with something unsent. Few: one per connection whose client does not read. */
  readonly #busyGathers = new Set<Gather>();

  constructor(readonly device: Device, inflightBytesMax: number) {
    this.pool = new BufferPool(device.memory, inflightBytesMax);
    this.arena = new ReplyArena(this.pool, device.bufferAlignment);
  }

  takeGather(): Gather {
    return this.#idleGathers.pop() ?? new Gather(this.arena);
  }

  /** Takes back a gather, sent or not. */
  giveGather(gather: Gather): void {
    gather.reset();
    this.#busyGathers.delete(gather);
    this.#idleGathers.push(gather);
  }

  /** Notes that `gather` could not be sent completely. */
  keepUnsent(gather: Gather): void {
    this.#busyGathers.add(gather);
  }

  /** Copies stable data of the device that is still to be sent or delivered, before it is reused. */
  settle(): void {
    this.device.settle?.();
    for (const gather of this.#busyGathers) gather.settle();
  }
}
