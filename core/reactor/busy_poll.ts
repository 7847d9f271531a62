// SPDX-License-Identifier: MIT
// When to poll before sleeping. A sleep and its wake-up cost more than serving a small request, so
// while traffic is live a reactor looks again for a moment; when looking has not paid of late, or
// nothing is connected, it sleeps at once.

/** The window of automatic polling, in microseconds. */
const AUTO_WINDOW_US = 200;
/** How many waits in a row must have been too long for polling to stop. */
const CREDIT_MAX = 8;
/** The clock is looked at once in so many polls. */
const POLLS_PER_LOOK = 4;
/** Polls that take so long were not alone on their processor, which others need more. */
const CROWDED_MS = 0.5;

/** Decides about one reactor's idle time. */
export class BusyPoll {
  readonly #windowMs: number;
  readonly #adaptive: boolean;
  #credit = CREDIT_MAX;
  #polls = 0;
  #idleSinceMs = 0;
  /** The last look at the clock within the idle time. */
  #pollEndMs = 0;

  /** `windowUs`: poll so long before sleeping; 0 never, "auto" as long as it pays. */
  constructor(windowUs: number | "auto") {
    this.#adaptive = windowUs === "auto";
    this.#windowMs = (windowUs === "auto" ? AUTO_WINDOW_US : windowUs) / 1000;
  }

  /** Something was there: what comes next begins a new idle time. */
  worked(): void {
    if (this.#polls === 0) return;
    this.#polls = 0;
    if (this.#adaptive && performance.now() - this.#idleSinceMs > CROWDED_MS) this.#credit = 0;
    else if (this.#credit < CREDIT_MAX) this.#credit++;
  }

  /** Nothing was there: whether to look again rather than to sleep. */
  again(): boolean {
    if (this.#polls === 0) this.#idleSinceMs = performance.now();
    if (this.#windowMs === 0 || this.#credit === 0) return false;
    if (++this.#polls % POLLS_PER_LOOK !== 0) return true;
    this.#pollEndMs = performance.now();
    return this.#pollEndMs - this.#idleSinceMs < this.#windowMs;
  }

  /** A sleep has ended with something to do: would polling have been better, or a waste? */
  slept(): void {
    const crowded = this.#polls > 0 && this.#pollEndMs - this.#idleSinceMs > CROWDED_MS;
    this.#polls = 0;
    if (!this.#adaptive) return;
    if (crowded) this.#credit = 0;
    else if (performance.now() - this.#idleSinceMs > 2 * this.#windowMs) {
      if (this.#credit > 0) this.#credit--;
    } else if (this.#credit < CREDIT_MAX) this.#credit++;
  }
}
