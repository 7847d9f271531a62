// SPDX-License-Identifier: MIT
// A watchdog on a thread of its own, for tests that run plugins on theirs.

import { type Watch, Watchdog } from "./watch.ts";

const isWorker = typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope !==
  "undefined";

if (isWorker) {
  const watchdog = new Watchdog();
  const thread = self as unknown as Worker;
  thread.onmessage = ({ data }) => thread.postMessage(watchdog.watch(data as number));
}

/** A watchdog that really looks while the plugin runs. Stop it with `using`. */
export class RemoteWatchdog implements Disposable {
  readonly #worker = new Worker(import.meta.url, { type: "module" });

  /** A watch of the other thread. */
  watch(timeoutMs: number): Promise<Watch> {
    return new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => resolve(data as Watch);
      this.#worker.postMessage(timeoutMs);
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
