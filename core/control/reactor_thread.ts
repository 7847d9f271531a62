// SPDX-License-Identifier: MIT
// A reactor as the main thread sees it: starts the thread, passes commands in and reports out.

import { createEvent, signalEvent } from "../../native/descriptor.ts";
import type {
  MovingClient,
  ReactorAddress,
  ReactorAnswers,
  ReactorCommand,
  ReactorQuestion,
  ReactorReport,
  ReactorStart,
} from "../reactor/messages.ts";
import { type ReactorWorker, takeWorker } from "./reactor_worker.ts";

/** What happens on a reactor. */
export interface ReactorEvents {
  log(level: "error" | "warning" | "info" | "debug", text: string): void;
  idle(): void;
  finishing(): void;
  /** A client is to go on at another reactor. */
  move(place: number, client: MovingClient): void;
}

/** Who waits for an answer. */
interface Asker {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** See the top of this file. */
export class ReactorThread {
  readonly wakeFd = createEvent();
  /** Resolves when the device is ready to serve; rejects when it is not. */
  readonly started: Promise<void>;
  /** Resolves when everything is closed; rejects when the thread has died. */
  readonly ended: Promise<void>;

  readonly #start: Omit<ReactorStart, "wakeFd">;
  readonly #events: ReactorEvents;
  readonly #startedOrNot = Promise.withResolvers<void>();
  readonly #endedOrNot = Promise.withResolvers<void>();
  /** Commands that were given before the thread can take any; null once it can. */
  #early: ReactorCommand[] | null = [];
  readonly #questions = new Map<number, Asker>();
  #nextQuestion = 0;
  #worker: Worker | null = null;

  /** Nothing runs before `begin`. */
  constructor(start: Omit<ReactorStart, "wakeFd">, events: ReactorEvents) {
    this.#start = start;
    this.#events = events;
    this.started = this.#startedOrNot.promise;
    this.ended = this.#endedOrNot.promise;
    // A server that does not start has nobody who waits for its end.
    this.started.catch(() => {});
    this.ended.catch(() => {});
  }

  /** Starts the thread. Once. */
  begin(): void {
    const reactor = takeWorker();
    const { worker } = reactor;
    this.#worker = worker;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(`reactor ${this.#start.index} has died: ${event.message}`);
    };
    worker.onmessage = ({ data }: MessageEvent<ReactorReport>) => this.#reported(data);
    this.#sendStart(reactor);
  }

  send(command: ReactorCommand): void {
    if (this.#early !== null) return void this.#early.push(command);
    this.#worker!.postMessage(command);
    signalEvent(this.wakeFd);
  }

  /** Asks the thread, which has started, for something. Rejects with what it says when it refuses. */
  ask<K extends ReactorQuestion["kind"]>(
    question: Extract<ReactorQuestion, { kind: K }>,
  ): Promise<ReactorAnswers[K]> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = this.#nextQuestion++;
    this.#questions.set(id, { resolve, reject });
    this.send({ kind: "ask", id, question });
    return promise as Promise<ReactorAnswers[K]>;
  }

  /** Finishes what is under way and ends. */
  drain(): void {
    if (this.#worker === null) this.#end();
    else this.send({ kind: "drain" });
  }

  /** Ends the thread whatever it does. */
  terminate(): void {
    this.#worker?.terminate();
  }

  async #sendStart({ worker, listening }: ReactorWorker): Promise<void> {
    await listening;
    const { inbox, others } = this.#start;
    const message: ReactorStart = { ...this.#start, wakeFd: this.wakeFd };
    const ports = [...inbox, ...others.map((other) => other.port)];
    // Deno loads all of its streams for a list of what changes hands, even an empty one.
    if (ports.length === 0) worker.postMessage(message);
    else worker.postMessage(message, ports);
    const early = this.#early!;
    this.#early = null;
    for (const command of early) this.send(command);
  }

  #reported(report: ReactorReport): void {
    if (report.kind === "log") this.#events.log(report.level, report.text);
    else if (report.kind === "idle") this.#events.idle();
    else if (report.kind === "finishing") this.#events.finishing();
    else if (report.kind === "move") this.#events.move(report.place, report.client);
    else if (report.kind === "answer") this.#answered(report.id, report.answer, report.error);
    else if (report.kind === "started") this.#startedOrNot.resolve();
    else if (report.kind === "failed") this.#fail(report.message);
    else if (report.kind === "ended") this.#end();
  }

  #answered(id: number, answer: unknown, error: string | null): void {
    const asker = this.#questions.get(id);
    this.#questions.delete(id);
    if (error === null) asker?.resolve(answer);
    else asker?.reject(new Error(error));
  }

  /** Nobody answers any more. */
  #refuseAll(message: string): void {
    for (const { reject } of this.#questions.values()) reject(new Error(message));
    this.#questions.clear();
  }

  #fail(message: string): void {
    this.#refuseAll(message);
    this.#startedOrNot.reject(new Error(message));
    this.#endedOrNot.reject(new Error(message));
  }

  #end(): void {
    this.#refuseAll("the server has ended");
    this.#endedOrNot.resolve();
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
