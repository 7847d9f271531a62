// SPDX-License-Identifier: MIT
// Keeps a plugin from flooding the log: of each kind of line only so many pass in a while.

import type { LogLevel } from "./instance.ts";

/** So many lines of one kind pass in one period. */
const LINES_PER_PERIOD = 20;
const PERIOD_MS = 10_000;
/** Kinds that are told apart; there are fewer. */
const KINDS_MAX = 256;

interface Period {
  startMs: number;
  lines: number;
}

/** See the top of this file. */
export class LogLimit {
  readonly #log: (level: LogLevel, text: string) => void;
  readonly #now: () => number;
  readonly #periods = new Map<string, Period>();

  constructor(log: (level: LogLevel, text: string) => void, now = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Logs `text` unless too many lines of its `kind` have been logged just now. */
  log(kind: string, level: LogLevel, text: string): void {
    const now = this.#now();
    let period = this.#periods.get(kind);
    if (!period || now - period.startMs >= PERIOD_MS) {
      const dropped = (period?.lines ?? 0) - LINES_PER_PERIOD;
      if (dropped > 0) this.#log(level, `${dropped} lines like the next one were left out`);
      period = { startMs: now, lines: 0 };
      if (this.#periods.size < KINDS_MAX || this.#periods.has(kind)) {
        this.#periods.set(kind, period);
      }
    }
    period.lines++;
    if (period.lines <= LINES_PER_PERIOD) this.#log(level, text);
    if (period.lines === LINES_PER_PERIOD) {
      this.#log(level, `more lines like the last one are left out for ${PERIOD_MS / 1000} s`);
    }
  }
}
