// SPDX-License-Identifier: MIT
// One instance of a plugin and the requests that it has: what becomes of them when a call returns, when
// the plugin finishes them later, when the last part of them has ended, or when the instance fails.

import { Errno } from "../block/errno.ts";
import type { BlockSize } from "../block/export.ts";
import type { PayloadMemory } from "../block/memory.ts";
import { Status } from "../block/request.ts";
import type { Agenda, TimerOwner } from "./agenda.ts";
import { type Answer, State } from "./answer.ts";
import { Answers } from "./answers.ts";
import { Caller } from "./caller.ts";
import type { LogLevel } from "./instance.ts";
import type { PluginMemory } from "./memory.ts";
import type { FunctionTable } from "./trap.ts";
import type { CallCounter } from "./watch.ts";

/** See the top of this file. */
export class Host extends Caller implements TimerOwner {
  readonly answers: Answers;
  readonly agenda: Agenda;
  /** Where buffers of emulated requests lie. */
  emulationMemory: PayloadMemory;
  /** Whether calls for requests may leave them pending. */
  pends = false;
  /** Whether the instance gets payloads itself, wherever they lie. */
  fetchesPayloads = false;
  sbDone: ((token: number, result: number) => void) | null = null;
  /** Called when the plugin has failed: what it was doing is lost. */
  onFailure: () => void = () => {};
  timers = 0;
  /** Block sizes that clients are to be told, while they can be said (in sb_info); null: those of the struct. */
  advice: BlockSize | null = null;
  takesAdvice = false;
  /** Who the export is opened for, while it is being opened. */
  peer = "";

  constructor(
    name: string,
    memory: PluginMemory,
    counter: CallCounter,
    functions: FunctionTable,
    agenda: Agenda,
    log: (level: LogLevel, text: string) => void,
  ) {
    super(name, memory, counter, functions, log);
    this.answers = new Answers(memory);
    this.emulationMemory = memory;
    this.agenda = agenda;
  }

  /**
   * Ends the call of `call` for the request of `answer` that has returned `status`. Returns 0 when the
   * request is answered, Status.Pending when it will be, else a positive errno; then the answer is
   * dropped and `request.errorText` set.
   */
  settle(call: string, answer: Answer, status: number): number {
    if (status === 0 && answer.simple && this.#isClean(answer)) {
      answer.complete();
      if (answer.lie === "") {
        // A part that failed has a text, too.
        answer.request!.errorText = this.errorText;
        this.answers.give(answer);
        return 0;
      }
    }
    answer.call = call;
    const pending = status === Status.Pending && this.pends;
    if (pending && this.#isClean(answer)) {
      answer.state = State.Pending;
      this.answers.leave();
      return Status.Pending;
    }
    // It does not wait for an answer that is spoilt already.
    const errno = this.#conclude(answer, pending ? 0 : status);
    if (answer.partsPending > 0) {
      answer.state = State.Settled;
      answer.errno = errno;
      this.answers.leave();
      return Status.Pending;
    }
    this.answers.give(answer);
    return errno;
  }

  /** Memory of stable data may become something else: copies what of it is in answers. */
  settleStable(): void {
    this.answers.settle();
    this.agenda.settle();
  }

  /** The request `id` for a call of `call`; null, which is a lie, where it is not under way. */
  find(call: string, id: number): Answer | null {
    const { current } = this.answers;
    if (current !== null && current.id === id) return current;
    const answer = this.answers.find(id);
    if (answer !== null && answer.state !== State.Settled) return answer;
    // What comes after the first lie of a call says nothing new.
    this.lied(this.answers.complaint(call, id));
    return null;
  }

  /** The plugin has finished the request `id` that it had left pending. */
  complete(id: number, errno: number): void {
    const answer = this.find("complete", id);
    if (answer === null) return;
    if (answer.state === State.Called) {
      answer.lied(`complete: the call for request ${id} has not returned yet`);
    } else if (answer.automatic) {
      answer.lied(`complete: request ${id} is finished by what it was forwarded to`);
    } else this.#finish(answer, errno);
  }

  /** A part of the request of `answer` has ended, and its filter was told. */
  partEnded(answer: Answer): void {
    // When the filter failed as it was told, the request has failed with it.
    if (answer.request === null || answer.partsPending > 0) return;
    if (answer.state === State.Settled) this.#deliver(answer, answer.errno);
    else if (answer.state === State.Pending && answer.automatic) {
      this.errorText = answer.partText;
      this.#finish(answer, answer.partErrno);
    }
  }

  /** Tells the plugin that what it called `token` has ended; `text` is why, where that is known. */
  done(token: number, result: number, text: string): void {
    const { sbDone } = this;
    if (sbDone === null || this.dead) return;
    this.enter();
    this.errorText = text;
    try {
      sbDone(token, result);
    } catch (error) {
      this.caught("sb_done", error);
    }
    this.leave();
    if (this.lie !== "") this.log("lie sb_done", "error", `breaks the ABI in sb_done: ${this.lie}`);
  }

  /** A timer of the plugin is due. */
  expired(token: number): void {
    this.done(token, 0, "");
  }

  /** What becomes of a request whose call or completion said `status`: 0 or an errno. */
  #conclude(answer: Answer, status: number): number {
    const request = answer.request!;
    if (status === 0 && this.#isClean(answer)) {
      if (answer.partsPending > 0) answer.lied("it is done before what it was forwarded to");
      else answer.complete();
    }
    if (answer.partsPending === 0) answer.assemble(status === 0 && this.#isClean(answer));
    if (status === 0 && this.#isClean(answer)) {
      request.errorText = this.errorText;
      return 0;
    }
    if (this.lie === "") this.lie = answer.lie;
    const errno = this.errnoOf(answer.call, status, answer.failure);
    request.clear();
    request.errorText = this.errorText;
    return errno;
  }

  #isClean(answer: Answer): boolean {
    return this.lie === "" && answer.lie === "" && answer.failure === 0;
  }

  /** Ends a request that was pending. */
  #finish(answer: Answer, status: number): void {
    const { lie } = this;
    this.lie = "";
    // Giving memory back calls the plugin, whose failure must not finish this request once more.
    answer.state = State.Settled;
    answer.errno = this.#conclude(answer, status);
    this.lie = lie;
    this.errorText = "";
    if (answer.partsPending === 0) this.#deliver(answer, answer.errno);
  }

  #deliver(answer: Answer, errno: number): void {
    const request = answer.request!;
    // What was left for the last part to end; nothing where it is put together already.
    answer.assemble(false);
    const sink = answer.owner ?? request.sink;
    this.answers.give(answer);
    this.agenda.defer(sink, request, errno);
  }

  /** After a trap nobody knows what the plugin still remembers: what it was doing has failed. */
  protected override instanceFailed(): void {
    const text = this.errorText;
    this.agenda.cancelAll(this);
    this.onFailure();
    this.answers.each((answer) => {
      if (answer.state !== State.Pending) return;
      this.errorText = text;
      this.#finish(answer, Errno.EIO);
    });
    this.errorText = text;
  }
}
