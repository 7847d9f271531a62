// SPDX-License-Identifier: MIT
// The connections of an nbd device for as long as it lives: one that the kernel has given up is
// replaced by another (NBD_CMD_LINK_DEAD, uapi/linux/nbd-netlink.h), and the end of the device is noticed.

import { Errno } from "../block/errno.ts";
import { lateLibc } from "../../native/libc.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { NetlinkEvents } from "../../native/netlink_events.ts";
import { u32Of } from "../../native/netlink.ts";
import { Ready, Waiter } from "../../native/waiter.ts";
import { readProc } from "./finding.ts";
import type { FrontLog } from "./front.ts";
import {
  NBD_FAMILY,
  NBD_GROUP,
  NBD_VERSION,
  NbdAttribute,
  NbdCommand,
  type NbdSettings,
  reconnectNbd,
} from "./nbd_netlink.ts";
import { readSysfs } from "./sysfs.ts";

/** The kernel says that a connection is lost a moment before or after it is. */
const NOTICE_MS = 1000;
/** How long to leave a server alone after a failure, at first and at the most. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2000;
/** How often to look whether the device is still there where nothing tells, also when it is to end. */
const LOOK_MS = 2000;
const END_LOOK_MS = 100;
const BOTH_WAYS = 2;
/** A setting that only the machine's own network has (net/core/sysctl_net_core.c). */
const OWN_NETWORK_MARK = "/proc/sys/net/core/netdev_budget";

/** Where connections come from. */
export interface NbdSource {
  /**
   * One more, in transmission, besides `others` that the kernel uses. The end for the kernel. Rejects where
   * there is none now.
   */
  open(waiter: Waiter, others: number): Promise<number>;
}

/** What is known about a device at the start. */
export interface NbdDevice {
  index: number;
  settings: NbdSettings;
  /** The ends that the kernel has. They are closed here. */
  sockets: readonly number[];
  /** Whether the kernel has really taken them, which it does not tell of a device that lives. */
  areItsOwn: boolean;
}

/** See the top of this file. Made before the device, so that nothing is missed. */
export class NbdLinks {
  /** Resolves when the device is over: ended by the kernel or another process. */
  readonly ended: Promise<void>;

  readonly waiter = new Waiter();
  readonly #source: NbdSource;
  readonly #log: FrontLog;
  readonly #events = new NetlinkEvents(NBD_FAMILY, NBD_VERSION, NBD_GROUP);
  readonly #end: () => void;
  /** Newer kernels take commands from any network, but only tell the machine's own of lost connections. */
  readonly #isTold = readProc(OWN_NETWORK_MARK) !== null;
  #sockets: number[] = [];
  #count = 0;
  #index = -1;
  #settings: NbdSettings | null = null;
  /** Connections that the kernel has told to be lost and that have no successor yet. */
  #lost = 0;
  /** Sockets that were shut down without a word about it. The word may come first. */
  #unexplained = 0;
  #isReplacing = true;
  #isEnding = false;

  /** Throws SystemError where the kernel does not tell. */
  constructor(source: NbdSource, log: FrontLog) {
    this.#source = source;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Begins to look after a device that was connected just now. */
  begin({ index, settings, sockets, areItsOwn }: NbdDevice): void {
    this.#index = index;
    this.#settings = settings;
    this.#sockets = [...sockets];
    this.#count = sockets.length;
    // Without a time to wait in, the device is over with its last connection.
    this.#isReplacing = settings.recoverySeconds > 0;
    this.#watch(areItsOwn ? -1 : LOOK_MS).finally(() => this.#release());
  }

  /** The device is going to be ended: what is lost from now on is meant to be. */
  expectEnd(): void {
    this.#isReplacing = false;
    this.#isEnding = true;
    this.waiter.interrupt();
  }

  /** Leaves the device alone. */
  stop(): void {
    this.waiter.stop();
    if (this.#index < 0) this.#release();
  }

  /** Leaves the device without connections, for another process to give it some. */
  abandon(): void {
    for (const fd of this.#sockets) lateLibc.shutdown(fd, BOTH_WAYS);
    this.stop();
  }

  #release(): void {
    for (const fd of this.#sockets.splice(0)) closeDescriptor(fd);
    this.#events[Symbol.dispose]();
  }

  async #watch(lookMs: number): Promise<void> {
    for (;;) {
      const watched = this.#sockets.map((fd) => ({ fd, events: 0 }));
      const timeoutMs = this.#isEnding ? END_LOOK_MS : this.#unexplained > 0 ? NOTICE_MS : lookMs;
      const ready = await this.waiter.wait([this.#watchedEvents(), ...watched], timeoutMs);
      if (ready === null) return;
      const isQuiet = ready.every((events) => events === 0);
      this.#takeEvents();
      this.#dropSockets(ready.slice(1));
      if (isQuiet && !this.#isTold && !this.#isGone()) this.#takeUnexplained();
      if (!this.#isReplacing) {
        if (this.#sockets.length === 0 || isQuiet && this.#isGone()) break;
      } else if (this.#lost > 0) {
        if (!await this.#replace()) break;
      } else if (isQuiet && (this.#unexplained > 0 || this.#isGone())) break;
    }
    this.#end();
  }

  #watchedEvents() {
    return { fd: this.#events.fd, events: Ready.In };
  }

  #takeEvents(): void {
    for (const event of this.#events.take()) {
      const isOurs = event === null || event.command === NbdCommand.LinkDead &&
          u32Of(event.attributes, NbdAttribute.Index) === this.#index;
      if (!isOurs) continue;
      this.#lost++;
      this.#unexplained--;
    }
  }

  /** Nobody is going to explain them. Whether somebody has ended the device shows when they are replaced. */
  #takeUnexplained(): void {
    this.#lost += this.#unexplained;
    this.#unexplained = 0;
  }

  /** Forgets the sockets that are shut down, which the kernel does to those that it gives up. */
  #dropSockets(ready: readonly number[]): void {
    const gone = this.#sockets.filter((_, i) => (ready[i]! & Ready.HangUp) !== 0);
    for (const fd of gone) closeDescriptor(fd);
    this.#sockets = this.#sockets.filter((fd) => !gone.includes(fd));
    this.#unexplained += gone.length;
  }

  /** Gives the device another connection for each one that is lost. Whether it is still there. */
  async #replace(): Promise<boolean> {
    const path = `/dev/nbd${this.#index}`;
    let pauseMs = PAUSE_MS_MIN;
    let told = "";
    this.#log("warning", `${path}: a connection is lost`);
    while (this.#lost > 0 && this.#isReplacing) {
      try {
        this.#sockets.push(await this.#reconnect());
        this.#lost--;
        this.#log("info", `${path}: connected again`);
      } catch (error) {
        if (this.waiter.stopped || this.#isGone() || this.#isRefused(error)) return false;
        const reason = (error as Error).message;
        if (reason !== told) this.#log("warning", `${path}: ${reason}`);
        told = reason;
        if (await this.waiter.wait([this.#watchedEvents()], pauseMs) === null) return false;
        this.#takeEvents();
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
      }
    }
    return true;
  }

  /** Rejects where the source has no connection or the kernel does not want it. */
  async #reconnect(): Promise<number> {
    const fd = await this.#source.open(this.waiter, this.#count - this.#lost);
    try {
      reconnectNbd(this.#index, this.#settings!, [fd]);
      return fd;
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
  }

  /** The kernel does not reconnect a device that somebody has ended, even while it is still open. */
  #isRefused(error: unknown): boolean {
    return !this.#isTold && error instanceof SystemError && error.errno === Errno.EINVAL;
  }

  #isGone(): boolean {
    return readSysfs(`block/nbd${this.#index}/pid`) === null;
  }
}
