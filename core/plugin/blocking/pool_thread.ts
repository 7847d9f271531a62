// SPDX-License-Identifier: MIT
// A thread for instances, as its reactor sees it: starts it, passes on what is to be done there, and
// takes what it has to say. It is the reactor's turn whenever the thread waits.

import { type MessagePort as NodeMessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Bell } from "./bell.ts";
import { Channel, ToReactor, ToThread } from "./channel.ts";
import { INSTANCE_THREAD, type Order, type Report, type ThreadStart } from "./messages.ts";

// In the executable all of sandblock is one module, which is also the worker's.
const workerUrl = import.meta.url.endsWith("/core/plugin/blocking/pool_thread.ts")
  ? new URL("entry.ts", import.meta.url).href
  : import.meta.url;

/** See the top of this file. */
export class PoolThread {
  readonly channel = new Channel();
  readonly #bell: Bell;
  readonly #start: Omit<ThreadStart, "channel" | "port">;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #threadsPort: MessagePort;
  #orders: Order[] = [];
  /** It has the turn. */
  #isItsTurn = true;
  /** It is in the middle of something, though it may wait for an answer. */
  #isBusy = true;

  /** The thread rings the bell when it listens. */
  constructor(bell: Bell, start: Omit<ThreadStart, "channel" | "port">) {
    this.#bell = bell;
    this.#start = start;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#threadsPort = port2;
    this.channel.begin();
    const name = `${INSTANCE_THREAD}${bell.fd}`;
    this.#worker = new Worker(workerUrl, { type: "module", name });
  }

  /** It listens now: it is told what to make an instance of. */
  begin(): void {
    const { channel } = this;
    const more = { channel: channel.buffer, port: this.#threadsPort };
    this.#worker.postMessage({ ...this.#start, ...more }, [this.#threadsPort]);
  }

  /** Whether it has not done yet what it was last told to do. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether it has something to say, which is asked once. */
  speaks(): boolean {
    if (!this.#isItsTurn || !this.channel.isReactors) return false;
    const { kind } = this.channel;
    this.#isItsTurn = false;
    this.#isBusy = kind === ToReactor.Import || kind === ToReactor.Opened;
    this.#bell.seen();
    return true;
  }

  /** What it has said besides. */
  reports(): Report[] {
    const { posted } = this.channel;
    if (posted === 0) return [];
    this.channel.posted = 0;
    const port = this.#port as unknown as NodeMessagePort;
    return Array.from({ length: posted }, () => receiveMessageOnPort(port)!.message);
  }

  /** Something to do together with the next request, or for `carryOut`. */
  order(order: Order): void {
    this.#orders.push(order);
  }

  get hasOrders(): boolean {
    return this.#orders.length > 0;
  }

  /** Has it do the orders. It must wait. */
  carryOut(): void {
    this.#post();
    this.#tell(ToThread.Orders);
  }

  /** Has it answer the request whose arguments the channel holds. It must wait. */
  request(call: number): void {
    if (this.#orders.length > 0) this.#post();
    this.#tell(ToThread.Request, call);
  }

  /** What it has asked for has the result that the channel holds; `late`: after it was waited for. */
  goOn(late: boolean): void {
    this.#tell(late ? ToThread.LateResult : ToThread.Result);
  }

  /** What it has asked for will not be done, and what it does is to end. */
  abort(): void {
    this.#tell(ToThread.Abort);
  }

  /** Ends it, wherever it is. It must not be busy, but may have just been started. */
  terminate(): void {
    this.#port.close();
    this.#worker.terminate();
  }

  #post(): void {
    for (const order of this.#orders) this.#port.postMessage(order);
    this.channel.posted = this.#orders.length;
    this.#orders = [];
  }

  #tell(kind: number, value = 0): void {
    this.#isItsTurn = true;
    this.#isBusy = true;
    this.channel.tellThread(kind, value);
  }
}
