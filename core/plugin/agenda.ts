// SPDX-License-Identifier: MIT
// What the nodes of a device still have to do on its reactor: answers to deliver, timers to fire, tasks.
// All wait here until no plugin is being called, so that nobody is called from within a call.

import { Errno } from "../block/errno.ts";
import type { Request, RequestSink } from "../block/request.ts";
import { settleData } from "./settle.ts";

/** Timers that one node may have set. */
export const TIMERS_MAX = 4096;

/** Who a timer belongs to. */
export interface TimerOwner {
  /** Timers of this owner that are set; kept by the agenda. */
  timers: number;
  expired(token: number): void;
}

interface Timer {
  atMs: number;
  /** Earlier ones come first where the time is the same. */
  order: number;
  owner: TimerOwner;
  token: number;
}

/** See the top of this file. */
export class Agenda {
  readonly #sinks: RequestSink[] = [];
  readonly #requests: Request[] = [];
  readonly #errnos: number[] = [];
  #tasks: (() => void)[] = [];
  /** A binary heap: no timer is earlier than the one at half its index. */
  readonly #timers: Timer[] = [];
  #order = 0;
  #running = false;

  /** When `run` is to be called (performance.now()); Infinity while nothing waits, 0 for at once. */
  get nextMs(): number {
    if (this.#requests.length > 0 || this.#tasks.length > 0) return 0;
    return this.#timers.length === 0 ? Infinity : this.#timers[0]!.atMs;
  }

  /** Tells `sink`, soon, that `request` is finished. */
  defer(sink: RequestSink, request: Request, errno: number): void {
    this.#sinks.push(sink);
    this.#requests.push(request);
    this.#errnos.push(errno);
  }

  /** Copies stable data of the answers that are to be delivered; see settle.ts. */
  settle(): void {
    for (let i = 0; i < this.#requests.length; i++) {
      const request = this.#requests[i]!;
      if (this.#errnos[i] === 0 && !settleData(request, request)) this.#errnos[i] = Errno.ENOMEM;
    }
  }

  /** Runs `task`, soon: something that may not be done from within a call. */
  later(task: () => void): void {
    this.#tasks.push(task);
  }

  /** Sets a timer. False when its owner has TIMERS_MAX already. */
  set(owner: TimerOwner, token: number, atMs: number): boolean {
    if (owner.timers >= TIMERS_MAX) return false;
    owner.timers++;
    this.#timers.push({ atMs, order: this.#order++, owner, token });
    this.#up(this.#timers.length - 1);
    return true;
  }

  /** Takes back a timer of `owner` with this token. Whether there was one. */
  cancel(owner: TimerOwner, token: number): boolean {
    const index = this.#timers.findIndex((one) => one.owner === owner && one.token === token);
    if (index < 0) return false;
    this.#remove(index);
    return true;
  }

  /** Takes back all timers of `owner`. */
  cancelAll(owner: TimerOwner): void {
    for (let index = this.#timers.length - 1; owner.timers > 0 && index >= 0; index--) {
      const at = this.#timers.findIndex((one) => one.owner === owner);
      if (at < 0) break;
      this.#remove(at);
    }
  }

  /** Fires the timers that are due and delivers answers, those that come of it included. */
  run(nowMs: number): void {
    if (this.#running) return;
    this.#running = true;
    try {
      this.#deliver();
      // A timer that is set from now on waits for the next time, even where it is due at once.
      const last = this.#order;
      while (this.#timers.length > 0) {
        const { atMs, order, owner, token } = this.#timers[0]!;
        if (atMs > nowMs || order >= last) break;
        this.#remove(0);
        owner.expired(token);
        this.#deliver();
      }
    } finally {
      this.#running = false;
    }
  }

  #deliver(): void {
    // One may lead to another, as when a size is passed on from filter to filter.
    while (this.#tasks.length > 0) {
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
    }
    const requests = this.#requests;
    if (requests.length === 0) return;
    // Grows while it is worked through, when one answer leads to the next.
    for (let i = 0; i < requests.length; i++) {
      this.#sinks[i]!.completed(requests[i]!, this.#errnos[i]!);
    }
    requests.length = 0;
    this.#sinks.length = 0;
    this.#errnos.length = 0;
  }

  #remove(index: number): void {
    const timers = this.#timers;
    timers[index]!.owner.timers--;
    const last = timers.pop()!;
    if (index === timers.length) return;
    timers[index] = last;
    this.#up(index);
    this.#down(index);
  }

  #up(start: number): void {
    const timers = this.#timers;
    for (let index = start; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!before(timers[index]!, timers[parent]!)) return;
      [timers[index], timers[parent]] = [timers[parent]!, timers[index]!];
      index = parent;
    }
  }

  #down(start: number): void {
    const timers = this.#timers;
    for (let index = start;;) {
      let first = index;
      for (let child = 2 * index + 1; child <= 2 * index + 2 && child < timers.length; child++) {
        if (before(timers[child]!, timers[first]!)) first = child;
      }
      if (first === index) return;
      [timers[index], timers[first]] = [timers[first]!, timers[index]!];
      index = first;
    }
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
