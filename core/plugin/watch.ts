// SPDX-License-Identifier: MIT
// The deadline on calls into plugins. A plugin's own code looks at one word of shared memory at
// every loop and function; the watchdog, on another thread, sets it when a call takes too long.

/**
 * The word counts calls: the instance stores the next odd number when a call begins and the next
 * even one when it ends. The watchdog ends a call by setting the sign bit, which makes the plugin's
 * code trap. It does so by comparing and exchanging with the number of the very call that has taken
 * too long, so a call that ends just then is missed and its successor is never hit instead.
 */
const KILL = -0x80000000;
/** The number after this one is 0 again. */
const CALL_NUMBER_MAX = 0x7fffffff;

/** The watchdog looks ten times per timeout, within these bounds in milliseconds. */
const INTERVAL_MS_MIN = 5;
/** Longer would end calls noticeably late; shorter would wake an idle process for nothing. */
const INTERVAL_MS_MAX = 250;

/** What one plugin instance shares with the watchdog. It can be sent with `postMessage`. */
export interface Watch {
  /** Shared memory whose first word the instance writes and the watchdog reads. */
  readonly memory: WebAssembly.Memory;
  /** How long one call may take. */
  readonly timeoutMs: number;
}

/** The instance's side of a Watch. Calls may not nest: the outermost one counts. */
export class CallCounter {
  readonly timeoutMs: number;
  readonly #words: Int32Array;
  #number: number;

  /** `number`: the last call's, which is even. */
  constructor(watch: Watch, number = 0) {
    this.#number = number;
    this.timeoutMs = watch.timeoutMs;
    this.#words = new Int32Array(watch.memory.buffer, 0, 1);
  }

  /** A call begins. Plain stores suffice: the watchdog may see them late, but sees them in order. */
  enter(): void {
    this.#number = (this.#number + 1) & CALL_NUMBER_MAX;
    this.#words[0] = this.#number;
  }

  /** Whether the watchdog has ended the call under way. */
  get expired(): boolean {
    return this.#words[0]! < 0;
  }

  /** The call has ended. */
  leave(): void {
    this.#number = (this.#number + 1) & CALL_NUMBER_MAX;
    this.#words[0] = this.#number;
  }
}

/** What the watchdog remembers of an instance. */
interface Watched {
  words: Int32Array;
  timeoutMs: number;
  /** The number of the call that was under way when it looked last, and for how long it has been. */
  call: number;
  elapsedMs: number;
}

/** Surroundings of the watchdog, for tests. */
export interface WatchdogOptions {
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}

/**
 * Watches calls of any number of plugin instances from a thread that they do not run on. A call is
 * ended after its timeout and at most two intervals (each a tenth of it, 5 to 250 ms) later.
 */
export class Watchdog {
  readonly #watched = new Map<Watch, Watched>();
  readonly #now: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #intervalMs = 0;
  #lastMs = 0;

  constructor(options: WatchdogOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
  }

  /** Starts to watch a new instance, each call of which may take `timeoutMs` (1 to 2^31-1). */
  watch(timeoutMs: number): Watch {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const watch = { memory, timeoutMs };
    const words = new Int32Array(memory.buffer, 0, 1);
    this.#watched.set(watch, { words, timeoutMs, call: 0, elapsedMs: 0 });
    this.#schedule();
    return watch;
  }

  /** Stops watching one instance. */
  unwatch(watch: Watch): void {
    this.#watched.delete(watch);
    this.#schedule();
  }

  /** Stops watching everything. */
  stop(): void {
    this.#watched.clear();
    this.#schedule();
  }

  /** Looks at all instances once. The timer calls it; public for tests. */
  look(): void {
    const now = this.#now();
    // When this thread was held up, or the whole machine, then so, perhaps, were the plugins: time
    // that nobody looked counts as two intervals at most.
    const sinceLastMs = Math.min(now - this.#lastMs, 2 * this.#intervalMs);
    this.#lastMs = now;
    for (const watched of this.#watched.values()) lookAt(watched, sinceLastMs);
  }

  #schedule(): void {
    let shortestMs = Infinity;
    for (const { timeoutMs } of this.#watched.values()) {
      shortestMs = Math.min(shortestMs, timeoutMs);
    }
    const intervalMs = shortestMs === Infinity
      ? 0
      : Math.min(Math.max(shortestMs / 10, INTERVAL_MS_MIN), INTERVAL_MS_MAX);
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    clearInterval(this.#timer);
    if (intervalMs === 0) return;
    this.#lastMs = this.#now();
    const timer = setInterval(() => this.look(), intervalMs);
    // Watching is no reason for the process to live on.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }
}

function lookAt(watched: Watched, sinceLastMs: number): void {
  const call = Atomics.load(watched.words, 0);
  if (call % 2 !== 1 || call !== watched.call) {
    watched.call = call;
    watched.elapsedMs = 0;
    return;
  }
  watched.elapsedMs += sinceLastMs;
  if (watched.elapsedMs >= watched.timeoutMs) {
    Atomics.compareExchange(watched.words, 0, call, call | KILL);
  }
}
