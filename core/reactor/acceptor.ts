// SPDX-License-Identifier: MIT
// Accepts connections, as many as the bounds allow, and hands them to the reactor with the fewest.

import { BlockError, Errno, errnoName } from "../block/errno.ts";
import { closeDescriptor, signalEvent } from "../../native/descriptor.ts";
import { type Epoll, Poll } from "../../native/epoll.ts";
import { acceptFrom, peerText, setBufferBytes, tuneTcp } from "../../native/socket.ts";
import type { ReactorAddress, ReactorCommand } from "./messages.ts";

/** Accepted in one go, so that a flood of connections leaves time for those that are there. */
const ACCEPT_BATCH = 64;
/** How long nothing is accepted after the system had no descriptor or memory for a connection. */
const PAUSE_MS = 1000;
/** Kernel buffers of a unix socket; the system's default holds less than one large request. */
const UNIX_BUFFER_BYTES = 1024 * 1024;

/** What an acceptor works with. */
export interface AcceptorOptions {
  listeners: number[];
  epoll: Epoll;
  /** Connections per reactor; entry 0 is the own one. */
  load: Int32Array;
  /** Reactors that serve the same as the own one. */
  others: ReactorAddress[];
  connectionsMax: number;
  /** Takes a connection for the own reactor; it is counted already. */
  adopt(fd: number, peer: string): void;
  log(level: "warning", text: string): void;
}

/** See the top of this file. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #listeners: Set<number>;
  #watching = false;
  /** Not before this time (performance.now()). */
  #resumeMs = 0;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#listeners = new Set(options.listeners);
    this.resume(0);
  }

  /** Whether something waits for `resume`. */
  get paused(): boolean {
    return !this.#watching && this.#listeners.size > 0;
  }

  owns(fd: number): boolean {
    return this.#listeners.has(fd);
  }

  /** Accepts what waits on a listener. */
  accept(listener: number, nowMs: number): void {
    for (let i = 0; i < ACCEPT_BATCH; i++) {
      if (this.#connections() >= this.#options.connectionsMax) return this.#pause(nowMs);
      const fd = acceptFrom(listener);
      if (fd >= 0) this.#assign(fd);
      else if (!this.#survives(-fd, nowMs)) return;
    }
  }

  /** Accepts again if a bound that was reached no longer is. */
  resume(nowMs: number): void {
    if (this.#watching || nowMs < this.#resumeMs) return;
    if (this.#connections() >= this.#options.connectionsMax) return;
    for (const fd of this.#listeners) this.#options.epoll.add(fd, Poll.In);
    this.#watching = true;
  }

  /** Stops for good. */
  close(): void {
    if (this.#watching) { for (const fd of this.#listeners) this.#options.epoll.remove(fd); }
    for (const fd of this.#listeners) closeDescriptor(fd);
    this.#listeners.clear();
    this.#watching = false;
  }

  /** Whether to go on after accept(2) failed. */
  #survives(errno: number, nowMs: number): boolean {
    if (errno === Errno.EAGAIN) return false;
    if (errno === Errno.ECONNABORTED || errno === Errno.EINTR) return true;
    this.#options.log("warning", `cannot accept a connection: ${errnoName(errno)}`);
    this.#pause(nowMs + PAUSE_MS);
    return false;
  }

  #pause(untilMs: number): void {
    for (const fd of this.#listeners) this.#options.epoll.remove(fd);
    this.#watching = false;
    this.#resumeMs = untilMs;
  }

  #connections(): number {
    let sum = 0;
    for (let i = 0; i < this.#options.load.length; i++) sum += Atomics.load(this.#options.load, i);
    return sum;
  }

  #assign(fd: number): void {
    const { load, others } = this.#options;
    const peer = peerText(fd);
    if (peer.startsWith("tcp:")) tuneTcp(fd);
    else setBufferBytes(fd, UNIX_BUFFER_BYTES);
    let target = 0;
    for (let i = 1; i <= others.length; i++) {
      if (Atomics.load(load, i) < Atomics.load(load, target)) target = i;
    }
    Atomics.add(load, target, 1);
    if (target === 0) return this.#options.adopt(fd, peer);
    const other = others[target - 1];
    if (!other) throw new BlockError(Errno.EINVAL, `there is no reactor ${target}`);
    other.port.postMessage({ kind: "connection", fd, peer } satisfies ReactorCommand);
    signalEvent(other.wakeFd);
  }
}
