// SPDX-License-Identifier: MIT
// Waiting for descriptors without blocking the event loop: poll(2) on a thread of its own. For what
// happens rarely; a reactor has epoll.

import { clearEvent, closeDescriptor, createEvent, signalEvent } from "./descriptor.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
});

/** struct pollfd. */
const ENTRY_BYTES = 8;

/** Events of poll(2). Errors and hang-ups are always told. */
export const Ready = { In: 0x1, Out: 0x4, Error: 0x8, HangUp: 0x10 } as const;

/** A descriptor and what to wait for. */
export interface Watched {
  fd: number;
  events: number;
}

/** Waits until it is told to stop. */
export class Waiter {
  readonly #stopFd = createEvent();
  #waiting = 0;
  #stopped = false;

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * What has happened to each descriptor, 0 for nothing; all of them are 0 after `timeoutMs`, -1 for
   * ever. Null once it was stopped.
   */
  async wait(watched: readonly Watched[], timeoutMs: number): Promise<number[] | null> {
    if (this.#stopped) return null;
    const all = [...watched, { fd: this.#stopFd, events: Ready.In }];
    const bytes = new Uint8Array(ENTRY_BYTES * all.length);
    const view = new DataView(bytes.buffer);
    all.forEach(({ fd, events }, i) => {
      view.setInt32(i * ENTRY_BYTES, fd, true);
      view.setInt16(i * ENTRY_BYTES + 4, events, true);
    });
    this.#waiting++;
    await symbols.poll(bytes, BigInt(all.length), timeoutMs);
    this.#waiting--;
    if (this.#stopped) {
      // Goes with the last one that waits for it.
      if (this.#waiting === 0) closeDescriptor(this.#stopFd);
      return null;
    }
    if (view.getInt16(watched.length * ENTRY_BYTES + 6, true) !== 0) clearEvent(this.#stopFd);
    return watched.map((_, i) => view.getInt16(i * ENTRY_BYTES + 6, true));
  }

  /** Ends what waits now, as if its time was over. */
  interrupt(): void {
    if (this.#waiting > 0) signalEvent(this.#stopFd);
  }

  /** Ends what waits, and all waiting from now on. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#waiting > 0) signalEvent(this.#stopFd);
    else closeDescriptor(this.#stopFd);
  }
}
