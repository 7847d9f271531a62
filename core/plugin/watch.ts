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

/** Words of the shared memory. The plugin's own code reads the first. */
const Word = {
  /** The number of the call, see above. */
  Call: 0,
  /** 1 while the watchdog sleeps and wants to be woken by the next call. */
  Resting: 1,
  /** Number of the thread that calls; 0 where nobody has said. */
  Thread: 2,
} as const;

/** While calls are made it looks this often: a call is first seen so late, and ended so late. */
const INTERVAL_MS = 20;
/** Between two looks, a tenth of the timeout counts at most, and never more than this. */
const UNSEEN_MS_MAX = 250;
/** A call that takes so long is a long one, which may be slowed down for the sake of others. */
const LONG_CALL_MS = 60;
/** So often it looks in vain before it sleeps. */
const VAIN_LOOKS_MAX = 5;

/** What one plugin instance shares with the watchdog. It can be sent with `postMessage`. */
export interface Watch {
  /** Shared memory with the words that the instance and the watchdog tell each other. */
  readonly memory: WebAssembly.Memory;
  /** How long one call may take. */
  readonly timeoutMs: number;
}

/** Says on which thread the calls of an instance are made, by the number that the system has for it. */
export function tellThread({ memory }: Watch, thread: number): void {
  Atomics.store(new Int32Array(memory.buffer, 0, 3), Word.Thread, thread);
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
    this.#words = new Int32Array(watch.memory.buffer, 0, 2);
  }

  /** A call begins. Plain stores suffice: the watchdog may see them late, but sees them in order. */
  enter(): void {
    this.#number = (this.#number + 1) & CALL_NUMBER_MAX;
    this.#words[0] = this.#number;
    if (this.#words[1] !== 0) this.#wakeWatchdog();
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

  /** Ends the call under way as the watchdog does: its code traps at its next loop or function. */
  end(): void {
    this.#words[0] = this.#number | KILL;
  }

  #wakeWatchdog(): void {
    Atomics.store(this.#words, Word.Resting, 0);
    Atomics.notify(this.#words, Word.Resting);
  }
}

/** What the watchdog remembers of an instance. */
interface Watched {
  words: Int32Array<SharedArrayBuffer>;
  timeoutMs: number;
  /** The number of the call that was under way when it looked last, and for how long it has been. */
  call: number;
  elapsedMs: number;
  /** Looks since there was a call. */
  vainLooks: number;
  /** Its next call wakes the watchdog. */
  resting: boolean;
  /** Its call was said to be a long one. */
  long: boolean;
}

/** Surroundings of the watchdog, for tests. */
export interface WatchdogOptions {
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
  /** Told of calls that take long and of their end, by thread. */
  longCalls?: { long(thread: number): void; over(thread: number): void } | null;
}

/**
 * Watches calls of any number of plugin instances from a thread that they do not run on. A call is
 * ended when its timeout has passed since it was first seen, which is INTERVAL_MS at most after it began.
 * While no calls are made, the watchdog sleeps; the next call wakes it.
 */
export class Watchdog {
  readonly #watched = new Map<Watch, Watched>();
  readonly #now: () => number;
  readonly #byHand: boolean;
  readonly #longCalls: NonNullable<WatchdogOptions["longCalls"]> | null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastMs = 0;

  constructor(options: WatchdogOptions = {}) {
    this.#byHand = options.now !== undefined;
    this.#longCalls = options.longCalls ?? null;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Starts to watch a new instance, each call of which may take `timeoutMs` (1 to 2^31-1). */
  watch(timeoutMs: number): Watch {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const watch = { memory, timeoutMs };
    const words = new Int32Array(memory.buffer as SharedArrayBuffer, 0, 3);
    const fresh = { call: 0, elapsedMs: 0, vainLooks: 0, resting: false, long: false };
    this.#watched.set(watch, { words, timeoutMs, ...fresh });
    this.#schedule(INTERVAL_MS);
    return watch;
  }

  /** Stops watching one instance. */
  unwatch(watch: Watch): void {
    const watched = this.#watched.get(watch);
    this.#watched.delete(watch);
    if (watched !== undefined) {
      this.#tellLong(watched, false);
      wake(watched);
    }
    if (this.#watched.size === 0) this.#cancel();
  }

  /** Stops watching everything. */
  stop(): void {
    for (const watch of [...this.#watched.keys()]) this.unwatch(watch);
  }

  /** Looks at all instances once. The timer calls it; public for tests. */
  look(): void {
    const now = this.#now();
    const sinceLastMs = now - this.#lastMs;
    this.#lastMs = now;
    let nextMs = Infinity;
    for (const watched of this.#watched.values()) {
      if (watched.resting) continue;
      nextMs = Math.min(nextMs, lookAt(watched, sinceLastMs));
      // One that is being ended needs a processor to come to its end.
      const { elapsedMs, timeoutMs } = watched;
      this.#tellLong(watched, elapsedMs >= LONG_CALL_MS && elapsedMs < timeoutMs);
      if (watched.vainLooks > VAIN_LOOKS_MAX && !this.#byHand) this.#rest(watched);
    }
    if (nextMs !== Infinity) this.#schedule(nextMs);
  }

  #tellLong(watched: Watched, long: boolean): void {
    if (this.#longCalls === null || (!long && !watched.long)) return;
    const thread = Atomics.load(watched.words, Word.Thread);
    watched.long = long;
    if (thread === 0) return;
    if (long) this.#longCalls.long(thread);
    else this.#longCalls.over(thread);
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#byHand) return;
    // While it slept, no time passed for anybody.
    this.#lastMs = this.#now();
    const timer = setTimeout(() => {
      this.#timer = undefined;
      this.look();
    }, ms);
    // Watching is no reason for the process to live on.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Leaves an instance alone until its next call. */
  #rest(watched: Watched): void {
    // The wish was made known a look ago, so a call that has missed it is visible by now.
    watched.resting = true;
    const result = Atomics.waitAsync(watched.words, Word.Resting, 1);
    const goOn = () => {
      watched.resting = false;
      watched.vainLooks = 0;
      if ([...this.#watched.values()].includes(watched)) this.#schedule(INTERVAL_MS);
    };
    if (result.async) result.value.then(goOn);
    else goOn();
  }
}

/** Looks at one instance. Returns after how many milliseconds to look again. */
function lookAt(watched: Watched, sinceLastMs: number): number {
  const call = Atomics.load(watched.words, Word.Call);
  const isSame = call === watched.call;
  watched.call = call;
  if (call % 2 !== 1 || !isSame) {
    watched.elapsedMs = 0;
    if (isSame) lookInVain(watched);
    else wake(watched);
    return Math.min(INTERVAL_MS, watched.timeoutMs);
  }
  watched.vainLooks = 0;
  // When this thread was held up, or the whole machine, then so, perhaps, were the plugins: of the time
  // that nobody looked, only so much counts.
  const most = Math.max(2 * INTERVAL_MS, Math.min(watched.timeoutMs / 10, UNSEEN_MS_MAX));
  watched.elapsedMs += Math.min(sinceLastMs, most);
  const leftMs = watched.timeoutMs - watched.elapsedMs;
  if (leftMs <= 0) Atomics.compareExchange(watched.words, Word.Call, call, call | KILL);
  return leftMs <= 0 ? INTERVAL_MS : Math.min(INTERVAL_MS, leftMs);
}

/** Nothing has been called since the last look. */
function lookInVain(watched: Watched): void {
  watched.vainLooks++;
  // From now on a call would wake it; if none has come by the next look, it sleeps.
  if (watched.vainLooks === VAIN_LOOKS_MAX) Atomics.store(watched.words, Word.Resting, 1);
}

/** There are calls: none has to wake it. */
function wake(watched: Watched): void {
  watched.vainLooks = 0;
  Atomics.store(watched.words, Word.Resting, 0);
  Atomics.notify(watched.words, Word.Resting);
}
