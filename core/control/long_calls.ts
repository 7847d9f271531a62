// SPDX-License-Identifier: MIT
// Threads that are in a long call into a plugin get what the others leave of the processors, so that a
// plugin that loops takes no more from other devices than it must.

import {
  isUsuallyScheduled,
  mayEndIdle,
  setThreadIdle,
  threadId,
  threadNice,
} from "../../native/priority.ts";

/** See above. The watchdog tells it about calls; see core/plugin/watch.ts. */
export class LongCalls {
  /**
   * How many threads have given up their share: one word, shared with the reactors. While there are any,
   * a processor that a reactor yields goes to them, for as long as the system likes.
   */
  readonly count = new SharedArrayBuffer(4);
  readonly #words = new Int32Array(this.count);
  readonly #threads = new Set<number>();

  /** Whether this process may take back what it gives away; nothing is done where it may not. */
  readonly #allowed = isUsuallyScheduled(threadId()) && mayEndIdle(threadNice(threadId()));

  /** A call on this thread takes long. May be told again and again. */
  long(thread: number): void {
    if (!this.#allowed || this.#threads.has(thread) || !setThreadIdle(thread, true)) return;
    this.#threads.add(thread);
    this.#tell();
  }

  /** It has ended. */
  over(thread: number): void {
    if (!this.#threads.delete(thread)) return;
    setThreadIdle(thread, false);
    this.#tell();
  }

  #tell(): void {
    Atomics.store(this.#words, 0, this.#threads.size);
  }
}
