// SPDX-License-Identifier: MIT
// epoll(7), level-triggered.

import { check, lastErrno, SystemError } from "./errno.ts";
import { closeDescriptor } from "./descriptor.ts";
import { lateLibc, libc } from "./libc.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EVENT_BYTES = 12;
const EINTR = 4;

/** Events of a descriptor (poll(2)). */
export const Poll = {
  None: 0,
  In: 0x1,
  Out: 0x4,
  Error: 0x8,
  HangUp: 0x10,
  /** One event, and then none until the descriptor is modified. */
  OneShot: 0x40000000,
} as const;

/** A set of watched descriptors. */
export class Epoll {
  readonly fd = check(lateLibc.epoll_create1(EPOLL_CLOEXEC), "create an epoll instance");
  readonly #change = new Uint8Array(EVENT_BYTES);
  readonly #changeView = new DataView(this.#change.buffer);
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #eventsView: DataView;
  readonly #eventsMax: number;

  /** `eventsMax`: how many events one `wait` returns at the most. */
  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
    this.#events = new Uint8Array(eventsMax * EVENT_BYTES);
    this.#eventsView = new DataView(this.#events.buffer);
  }

  add(fd: number, events: number): void {
    this.#control(EPOLL_CTL_ADD, fd, events);
  }

  modify(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** Whether the descriptor can be watched: those of regular files cannot. */
  takes(fd: number): boolean {
    try {
      this.add(fd, Poll.None);
      this.remove(fd);
      return true;
    } catch (error) {
      if (error instanceof SystemError && error.code === "EPERM") return false;
      throw error;
    }
  }

  /** Waits up to `timeoutMs` (-1: for ever) and returns how many descriptors are ready. */
  wait(timeoutMs: number): number {
    const count = libc.epoll_wait(this.fd, this.#events, this.#eventsMax, timeoutMs);
    if (count < 0 && lastErrno() !== EINTR) check(count, "wait for events");
    return count < 0 ? 0 : count;
  }

  /** The descriptor of event `index` of the last `wait`. */
  descriptor(index: number): number {
    return this.#eventsView.getInt32(index * EVENT_BYTES + 4, true);
  }

  /** What is ready about the descriptor of event `index`; Error and HangUp come unasked. */
  events(index: number): number {
    return this.#eventsView.getUint32(index * EVENT_BYTES, true);
  }

  close(): void {
    closeDescriptor(this.fd);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#changeView.setUint32(0, events, true);
    this.#changeView.setInt32(4, fd, true);
    check(libc.epoll_ctl(this.fd, operation, fd, this.#change), `watch descriptor ${fd}`);
  }
}
