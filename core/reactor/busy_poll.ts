// SPDX-License-Identifier: MIT
// When to poll before sleeping. A sleep and its wake-up cost more than serving a small request, so
// while traffic is live a reactor looks again for a moment; when looking has not paid of late, or
// nothing is connected, it sleeps at once.

/** The window of automatic polling, in microseconds. */
const AUTO_WINDOW_US = 200;
/** How many waits in a row must have been too long for polling to stop. */
const CREDIT_MAX = 8;
/** What polls cost that were not alone on their processor; one alone may be chance. */
const CROWDED_COST = 5;
/** The clock is looked at once in so many polls. */
const POLLS_PER_LOOK = 4;
/** Polls that take so much longer than their window were not alone on their processor. */
const CROWDED_MS = 0.5;
/** When polling has paid so often, it is worth keeping the processors of clients awake as well. */
const STREAK_MIN = 1000;

/** Keeps processors from sleeping, so that clients wake up faster. */
export interface Wakefulness {
  readonly held: boolean;
  hold(): void;
  release(): void;
}

/** Decides about one reactor's idle time. */
export class BusyPoll {
  readonly #windowMs: number;
  readonly #adaptive: boolean;
  readonly #wakefulness: Wakefulness;
  #credit = CREDIT_MAX;
  #streak = 0;
  #polls = 0;
  #idleSinceMs = 0;
  /** The last look at the clock within the idle time. */
  #pollEndMs = 0;

  /** `windowUs`: poll so long before sleeping; 0 never, "auto" as long as it pays. */
  constructor(windowUs: number | "auto", wakefulness: Wakefulness) {
    this.#adaptive = windowUs === "auto";
    this.#windowMs = (windowUs === "auto" ? AUTO_WINDOW_US : windowUs) / 1000;
    this.#wakefulness = wakefulness;
  }

  /** Whether something is held that a long idle time should end, see `rest`. */
  get restless(): boolean {
    return this.#wakefulness.held;
  }

  /** Something was there: what comes next begins a new idle time. */
  worked(): void {
    if (this.#polls === 0) return;
    this.#polls = 0;
    if (!this.#adaptive) return;
    if (this.#isCrowded(performance.now())) return this.#spend(CROWDED_COST);
    if (this.#credit < CREDIT_MAX) this.#credit++;
    if (++this.#streak === STREAK_MIN) this.#wakefulness.hold();
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
    const crowded = this.#polls > 0 && this.#isCrowded(this.#pollEndMs);
    this.#polls = 0;
    if (!this.#adaptive) return;
    if (crowded) this.#spend(CROWDED_COST);
    else if (performance.now() - this.#idleSinceMs > 2 * this.#windowMs) this.#spend(1);
    else if (this.#credit < CREDIT_MAX) this.#credit++;
  }

  /** Nothing has come for a long time. */
  rest(): void {
    this.#streak = 0;
    this.#wakefulness.release();
  }

  /** Whether polls until `nowMs` took so long that others must have had the processor. */
  #isCrowded(nowMs: number): boolean {
    return nowMs - this.#idleSinceMs > this.#windowMs + CROWDED_MS;
  }

  /** Polling has not paid. */
  #spend(credit: number): void {
    this.#credit = Math.max(0, this.#credit - credit);
    if (this.#credit === 0) this.rest();
  }
}
