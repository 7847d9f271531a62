// SPDX-License-Identifier: MIT
// A reactor as the main thread sees it: starts the thread, passes commands in and reports out.

import { createEvent, signalEvent } from "../../native/descriptor.ts";
import type { ReactorAddress, ReactorCommand, ReactorReport } from "../reactor/messages.ts";
import type { ReactorStart } from "../reactor/messages.ts";

/** What happens on a reactor. */
export interface ReactorEvents {
  log(level: "error" | "warning" | "info" | "debug", text: string): void;
  idle(): void;
}

// In the executable all of sandblock is one module, which is also the worker's.
const workerUrl = import.meta.url.endsWith("/core/control/reactor_thread.ts")
  ? new URL("../reactor/entry.ts", import.meta.url).href
  : import.meta.url;

/** See the top of this file. */
export class ReactorThread {
  readonly wakeFd = createEvent();
  /** Resolves when the device is ready to serve; rejects when it is not. */
  readonly started: Promise<void>;
  /** Resolves when everything is closed; rejects when the thread has died. */
  readonly ended: Promise<void>;

  readonly #worker: Worker;
  readonly #commands = new MessageChannel();

  constructor(start: Omit<ReactorStart, "wakeFd">, events: ReactorEvents) {
    const name = `reactor-${start.index}`;
    this.#worker = new Worker(workerUrl, { type: "module", name });
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.started = started.promise;
    this.ended = ended.promise;
    // A server that does not start has nobody who waits for its end.
    this.ended.catch(() => {});
    const fail = (message: string) => {
      started.reject(new Error(message));
      ended.reject(new Error(message));
      this.#commands.port1.close();
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      fail(`${name} has died: ${event.message}`);
    };
    const inbox = [this.#commands.port2, ...start.inbox];
    const message: ReactorStart = { ...start, inbox, wakeFd: this.wakeFd };
    this.#worker.onmessage = ({ data }: MessageEvent<ReactorReport>) => {
      if (data.kind === "log") events.log(data.level, data.text);
      else if (data.kind === "idle") events.idle();
      else if (data.kind === "started") started.resolve();
      else if (data.kind === "failed") fail(data.message);
      else if (data.kind === "listening") {
        this.#worker.postMessage(message, [...inbox, ...start.others.map((other) => other.port)]);
      } else {
        this.#commands.port1.close();
        ended.resolve();
      }
    };
  }

  send(command: ReactorCommand): void {
    this.#commands.port1.postMessage(command);
    signalEvent(this.wakeFd);
  }

  /** Ends the thread whatever it does. */
  terminate(): void {
    this.#worker.terminate();
  }
}

/** Both ends of the way from reactor 0 to another one, before that one has a descriptor. */
export interface HandOver {
  inbox: MessagePort;
  address(wakeFd: number): ReactorAddress;
}

/** Makes such a way. */
export function createHandOver(): HandOver {
  const { port1, port2 } = new MessageChannel();
  return { inbox: port2, address: (wakeFd) => ({ port: port1, wakeFd }) };
}
