// SPDX-License-Identifier: MIT
// When the next instance may be started after one has failed (docs/sandbox.md, "Restarts").

import type { RestartPolicy } from "../restart_policy.ts";

/** The first wait, and the longest; each is twice the last. */
const WAIT_MS_MIN = 100;
const WAIT_MS_MAX = 30_000;
/** After so long without a failure all is well again. */
const WELL_MS = 60_000;

/** See the top of this file. */
export class Waits {
  readonly #policy: RestartPolicy;
  readonly #now: () => number;
  #waitMs = WAIT_MS_MIN;
  #dueMs = 0;
  #lastMs = -Infinity;
  #fact = "";

  constructor(policy: RestartPolicy, now = () => performance.now()) {
    this.#policy = policy;
    this.#now = now;
  }

  /** An instance has failed that is to be started again. */
  failed(): void {
    this.#fact = "has failed";
    if (this.#policy === "backoff") this.#wait();
  }

  /** An instance could not be started, for a reason that is a sentence. */
  notStarted(why: string): void {
    this.#fact = `cannot be started (${why})`;
    this.#wait();
  }

  /** Why none may be started at the moment; "" where one may. */
  refusal(name: string): string {
    const leftMs = Math.ceil(this.#dueMs - this.#now());
    return leftMs <= 0 ? "" : `plugin "${name}" ${this.#fact} and is started again in ${leftMs} ms`;
  }

  #wait(): void {
    const now = this.#now();
    if (now - this.#lastMs >= WELL_MS) this.#waitMs = WAIT_MS_MIN;
    this.#lastMs = now;
    this.#dueMs = now + this.#waitMs;
    this.#waitMs = Math.min(2 * this.#waitMs, WAIT_MS_MAX);
  }
}
