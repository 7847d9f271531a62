// SPDX-License-Identifier: MIT
// Commands to a reactor: messages that its loop does not see, announced on an eventfd that it does see. Then
// the loop ends, they are taken from the event loop, and it begins again. (To read a port without an event
// loop takes node:worker_threads, which takes longer to load than everything else in the thread.)

import { takeEvent } from "../../native/descriptor.ts";
import type { ReactorCommand } from "./messages.ts";

/** A MessagePort, or the thread's own. */
export interface CommandSource {
  onmessage: ((event: MessageEvent<ReactorCommand>) => void) | null;
}

/** See the top of this file. */
export class Inbox {
  readonly #wakeFd: number;
  /** Each message is announced once, after it was sent. */
  #announced = 0;
  #taken = 0;
  #failure: unknown = null;
  #resume = () => {};

  /** Has `obey` carry out what comes from `sources`. */
  constructor(
    sources: readonly CommandSource[],
    wakeFd: number,
    obey: (command: ReactorCommand) => void,
  ) {
    this.#wakeFd = wakeFd;
    for (const source of sources) {
      source.onmessage = ({ data }: MessageEvent<ReactorCommand>) => {
        try {
          obey(data);
        } catch (error) {
          this.#failure ??= error;
        }
        this.#taken++;
        this.#resume();
      };
    }
  }

  /** Waits until all that was announced has been carried out. Rejects with what went wrong. */
  async take(): Promise<void> {
    this.#announced += takeEvent(this.#wakeFd);
    while (this.#taken < this.#announced && this.#failure === null) {
      await new Promise<void>((resolve) => this.#resume = resolve);
    }
    if (this.#failure !== null) throw this.#failure;
  }
}
