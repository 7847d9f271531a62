// SPDX-License-Identifier: MIT
// When to poll before sleeping. A sleep and its wake-up cost more than serving a small request, so
// while traffic is live a reactor looks again for a moment; when looking has not paid of late, or
// nothing is connected, it sleeps at once.

/** The window of automatic polling, in microseconds. */
const AUTO_WINDOW_US = 50;
/** How many waits in a row must have been too long for polling to stop. */
const CREDIT_MAX = 8;
/** The clock is looked at once in so many polls. */
const POLLS_PER_LOOK = 4;

/** Decides about one reactor's idle time. */
export class BusyPoll {
  readonly #windowMs: number;
  readonly #adaptive: boolean;
  #credit = CREDIT_MAX;
  #polls = 0;
  #idleSinceMs = 0;

  /** `windowUs`: poll so long before sleeping; 0 never, "auto" as long as it pays. */
  constructor(windowUs: number | "auto") {
    this.#adaptive = windowUs === "auto";
    this.#windowMs = (windowUs === "auto" ? AUTO_WINDOW_US : windowUs) / 1000;
  }

  /** Something was there: what comes next begins a new idle time. */
  worked(): void {
    if (this.#polls > 0 && this.#credit < CREDIT_MAX) this.#credit++;
    this.#polls = 0;
  }

  /** Nothing was there: whether to look again rather than to sleep. */
  again(): boolean {
    if (this.#polls === 0) this.#idleSinceMs = performance.now();
    if (this.#windowMs === 0 || this.#credit === 0) return false;
    if (++this.#polls % POLLS_PER_LOOK !== 0) return true;
    return performance.now() - this.#idleSinceMs < this.#windowMs;
  }

  /** A sleep has ended with something to do: would polling have been the better choice? */
  slept(): void {
    this.#polls = 0;
    if (!this.#adaptive) return;
    if (performance.now() - this.#idleSinceMs > 2 * this.#windowMs) {
      if (this.#credit > 0) this.#credit--;
    } else if (this.#credit < CREDIT_MAX) this.#credit++;
  }
}
