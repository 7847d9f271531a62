// SPDX-License-Identifier: MIT
// What is known and has been learnt about one file, shared by all connections that have it open:
// which calls its filesystem lacks, and whether calls may be made on the spot or have to be queued.

import { coarseMs } from "../../native/file_data.ts";
import { KnownData } from "./file_extents.ts";

/** A call that took this long has waited for the disk. The clock behind it ticks every 1 to 10 ms. */
const SLOW_MS = 10;
/**
 * So many calls are then queued before one is tried on the spot again; twice as many each time that is
 * slow as well. It begins low, because a call also takes long when the thread was not given the CPU.
 */
const QUEUED_MIN = 16;
const QUEUED_MAX = 1024;

/** See the top of this file. */
export class FileTraits {
  /** Exports that have the file open. */
  references = 0;
  /** preadv2 and pwritev2 take RWF_NOWAIT. Filesystems differ, and tell only when asked. */
  nowaitReads: boolean;
  nowaitWrites: boolean;
  /** fallocate takes PUNCH_HOLE and ZERO_RANGE; the block device takes discards. */
  punches = true;
  zeroRanges = true;
  discards = true;
  /**
   * Queued operations that hold the lock of the file (buffered writes, fallocate). Meanwhile a write
   * on the spot would wait for it.
   */
  locking = 0;
  readonly known = new KnownData();

  #queue = 0;
  #queueNext = QUEUED_MIN;
  #startMs = 0;

  readonly #slowMs: number;

  /** `inMemory`: nothing done to the file waits for a disk. */
  constructor(readonly inMemory: boolean, slowMs = SLOW_MS) {
    this.#slowMs = slowMs;
    this.nowaitReads = !inMemory;
    this.nowaitWrites = !inMemory;
  }

  /**
   * Whether a call that cannot be told not to wait may be made on the spot. Queuing it costs ten times
   * as much as the call itself, so it is only done after a call that did wait. If it may, the call is
   * to be framed by this and `called`.
   */
  mayCall(): boolean {
    if (this.#queue > 0) {
      this.#queue--;
      return false;
    }
    this.#startMs = coarseMs();
    return true;
  }

  called(): void {
    if ((coarseMs() - this.#startMs) >>> 0 < this.#slowMs) {
      this.#queueNext = QUEUED_MIN;
      return;
    }
    this.#queue = this.#queueNext;
    this.#queueNext = Math.min(this.#queueNext * 2, QUEUED_MAX);
  }
}
