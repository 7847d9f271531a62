// SPDX-License-Identifier: MIT
// One client: its descriptors, which phase it is in, and how the reactor looks after it.

import { closeDescriptor } from "../../native/descriptor.ts";
import { Poll } from "../../native/epoll.ts";
import type { Phase } from "./phase.ts";
import type { Served } from "./served.ts";

/** See the top of this file. */
export class Connection {
  phase!: Phase;
  /** What it is a client of, in transmission. */
  served: Served | null = null;
  /** In the list of connections that get a turn in each round. */
  hot = false;
  /** Rounds in a row in which nothing came. */
  idleRounds = 0;
  /** Waits for others to give memory back. */
  starved = false;
  /** When it was last left to epoll (performance.now()). */
  cooledMs: number;
  /** Events that epoll watches `inputFd` and `outputFd` for; -1: not watched. */
  watched = -1;
  /** Descriptors that never make a call wait, such as those of files, which epoll does not take. */
  unwatchable: readonly number[] = [];
  /** Must be in transmission by then; Infinity afterwards. */
  handshakeDeadlineMs: number;

  constructor(
    readonly inputFd: number,
    readonly outputFd: number,
    readonly peer: string,
    nowMs: number,
    handshakeTimeoutMs: number,
  ) {
    this.cooledMs = nowMs;
    this.handshakeDeadlineMs = nowMs + handshakeTimeoutMs;
  }

  /** Events to sleep for. */
  get events(): number {
    const phase = this.phase;
    return (phase.wantsInput && !this.starved ? Poll.In : 0) |
      (phase.wantsOutput ? Poll.Out : 0) | (phase.watchedOnlyAsleep ? Poll.OneShot : 0);
  }

  closeDescriptors(): void {
    closeDescriptor(this.inputFd);
    if (this.outputFd !== this.inputFd) closeDescriptor(this.outputFd);
  }
}
