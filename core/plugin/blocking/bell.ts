// SPDX-License-Identifier: MIT
// The descriptor with which the threads of one device ring for their reactor: once for each message, and
// once when a thread that was started listens for its first one.

import { closeDescriptor, createEvent, takeEvent } from "../../../native/descriptor.ts";

/** See the top of this file. */
export class Bell {
  readonly fd = createEvent();
  /** What was seen without its ringing; negative where it has rung for what was not seen yet. */
  #owed = 0;

  /** What it rings for was seen. */
  seen(): void {
    this.#owed++;
  }

  /**
   * Stops it ringing. Whether it has rung for something that was not seen, which is there to be seen now:
   * it rings after.
   */
  hush(): boolean {
    this.#owed -= takeEvent(this.fd);
    return this.isAhead;
  }

  get isAhead(): boolean {
    return this.#owed < 0;
  }

  /** Whether it may still ring for what was seen. */
  get rings(): boolean {
    return this.#owed > 0;
  }

  close(): void {
    closeDescriptor(this.fd);
  }
}
