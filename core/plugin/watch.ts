// SPDX-License-Identifier: MIT
// The deadline on calls into plugins. A plugin's own code looks at one word of shared memory at
// every loop and function; the watchdog, on another thread, sets it when a call takes too long.

/** What one plugin instance shares with the watchdog. It can be sent with `postMessage`. */
export interface Watch {
  /** Shared memory whose first word the instance writes and the watchdog reads. */
  readonly memory: WebAssembly.Memory;
  /** How long one call may take. */
  readonly timeoutMs: number;
}

/** Watches calls of any number of plugin instances from a thread that they do not run on. */
export class Watchdog {
  /** Starts to watch a new instance. */
  watch(_timeoutMs: number): Watch {
    throw new Error("Not written yet");
  }

  /** Stops watching one instance. */
  unwatch(_watch: Watch): void {}

  /** Stops watching everything; the watchdog no longer keeps the event loop alive. */
  stop(): void {}
}
