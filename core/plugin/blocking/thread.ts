// SPDX-License-Identifier: MIT
// The entry of a thread that an instance has to itself: makes the instance, then answers requests and
// follows orders until it is told to stop.

import { type MessagePort as NodeMessagePort, receiveMessageOnPort } from "node:worker_threads";
import { BlockError } from "../../block/errno.ts";
import { signalEvent } from "../../../native/descriptor.ts";
import { threadId } from "../../../native/priority.ts";
import { CallCounter, tellThread } from "../watch.ts";
import { Channel, ToReactor, ToThread } from "./channel.ts";
import { INSTANCE_THREAD, type Order, type Report, type ThreadStart } from "./messages.ts";
import { ThreadInstance } from "./thread_instance.ts";

// The DOM's idea of `self` does not know that this is a worker.
const thread = self as unknown as {
  name: string;
  onmessage: ((event: MessageEvent<ThreadStart>) => void) | null;
  close(): void;
};

/** Waits for ThreadStart, then serves. Called once, at the top of a worker. */
export function runInstanceThread(): void {
  const bellFd = Number(thread.name.slice(INSTANCE_THREAD.length));
  thread.onmessage = ({ data }) => {
    thread.onmessage = null;
    new InstanceThread(data, bellFd).run();
    thread.close();
  };
  signalEvent(bellFd);
}

class InstanceThread {
  readonly #start: ThreadStart;
  readonly #bellFd: number;
  readonly #channel: Channel;
  /** Numbers of calls go on from one instance to the next, so that none is taken for another. */
  readonly #counter: CallCounter;
  readonly #exports = new Map<number, Extract<Order, { kind: "open" }>>();
  #instance: ThreadInstance | null = null;

  constructor(start: ThreadStart, bellFd: number) {
    this.#start = start;
    this.#bellFd = bellFd;
    this.#channel = new Channel(start.channel);
    this.#counter = new CallCounter(start.watch);
    tellThread(start.watch, threadId());
  }

  /** Returns when it was told to stop. */
  run(): void {
    const channel = this.#channel;
    this.#make();
    for (;;) {
      const { kind } = channel;
      if (kind === ToThread.Orders) {
        if (this.#follow()) return channel.tellLast(this.#bellFd, ToReactor.Stopped);
      } else if (kind === ToThread.Request) this.#answer();
      else this.#tell(ToReactor.Idle);
    }
  }

  /** Follows orders. Whether it is to stop. */
  #follow(): boolean {
    const orders = this.#orders();
    if (orders.some(({ kind }) => kind === "stop")) {
      for (const number of this.#exports.keys()) this.#instance?.close(number);
      this.#instance?.stop();
      return true;
    }
    if (orders.some(({ kind }) => kind === "renew")) this.#make();
    else this.#tell(ToReactor.Idle);
    return false;
  }

  #make(): void {
    const log = (level: Extract<Report, { kind: "log" }>["level"], text: string) => {
      this.#post({ kind: "log", level, text });
    };
    this.#instance = null;
    try {
      const [channel, bellFd, counter] = [this.#channel, this.#bellFd, this.#counter];
      this.#instance = new ThreadInstance(this.#start, channel, bellFd, counter, log);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#post({ kind: "call", failed: true, lie: "", text });
      if (!(error instanceof BlockError)) log("error", `an instance cannot be made: ${text}`);
    }
    this.#tell(ToReactor.Started);
  }

  #answer(): void {
    const instance = this.#instance!;
    const task = instance.task();
    this.#orders();
    const status = instance.answer(task, this.#exports);
    if (instance.report !== null) this.#post(instance.report);
    this.#tell(ToReactor.Done, status);
  }

  /** Takes the orders that have come; exports are opened and closed here. */
  #orders(): Order[] {
    const { posted } = this.#channel;
    this.#channel.posted = 0;
    const port = this.#start.port as unknown as NodeMessagePort;
    const orders: Order[] = Array.from({ length: posted }, () => {
      return receiveMessageOnPort(port)!.message;
    });
    for (const order of orders) {
      if (order.kind === "open") this.#exports.set(order.number, order);
      else if (order.kind === "close") {
        this.#exports.delete(order.number);
        this.#instance?.close(order.number);
      }
    }
    return orders;
  }

  /** Has the reactor take `report` with the next message. */
  #post(report: Report): void {
    this.#start.port.postMessage(report);
    this.#channel.posted++;
  }

  #tell(kind: number, value = 0): void {
    this.#channel.tellReactor(this.#bellFd, kind, value);
  }
}
