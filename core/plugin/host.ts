// SPDX-License-Identifier: MIT
// One instance of a plugin and the rules for calling it: the deadline runs while it is called, and
// whatever ends a call before its time is turned into an errno and a text, after which the instance
// is as fit to be called as before.

import { BlockError, Errno, ERRNO_MAX, errnoName } from "../block/errno.ts";
import { Status } from "../block/request.ts";
import type { Agenda, TimerOwner } from "./agenda.ts";
import { type Answer, State } from "./answer.ts";
import { Answers } from "./answers.ts";
import type { LogLevel } from "./instance.ts";
import { LogLimit } from "./log_limit.ts";
import { PluginMemory } from "./memory.ts";
import { type FunctionTable, isHostFailure, pluginStack, trapText } from "./trap.ts";
import type { CallCounter } from "./watch.ts";

/** What `caught` returns: the call did not come to its end. */
export const CAUGHT = -0x7fffffff;

/** The stack pointer of a plugin, as an exported global. */
export type StackPointer = { value: number | bigint };

/** See the top of this file. */
export class Host implements TimerOwner {
  readonly name: string;
  readonly memory: PluginMemory;
  readonly answers: Answers;
  readonly agenda: Agenda;
  /** What is wrong with the call under way; empty while nothing is. */
  lie = "";
  /** Whether calls for requests may leave them pending. */
  pends = false;
  sbDone: ((token: number, result: number) => void) | null = null;
  /** Called when the plugin has failed: what it was doing is lost. */
  onFailure: () => void = () => {};
  timers = 0;
  /** What error_text said during this call, or how the call ended before its time. */
  errorText = "";
  /** Who the export is opened for, while it is being opened. */
  peer = "";
  /** Calls into the plugin that are under way; more than one when it calls back into the host. */
  depth = 0;

  readonly #counter: CallCounter;
  readonly #limit: LogLimit;
  readonly #functions: FunctionTable;
  #stackPointer: StackPointer | null = null;
  #stackAtRest: number | bigint = 0;
  #failed = false;

  constructor(
    name: string,
    memory: PluginMemory,
    counter: CallCounter,
    functions: FunctionTable,
    agenda: Agenda,
    log: (level: LogLevel, text: string) => void,
  ) {
    this.name = name;
    this.memory = memory;
    this.answers = new Answers(memory);
    this.agenda = agenda;
    this.#counter = counter;
    this.#functions = functions;
    this.#limit = new LogLimit((level, text) => log(level, `plugin "${name}": ${text}`));
  }

  /** How long one call may take. */
  get timeoutMs(): number {
    return this.#counter.timeoutMs;
  }

  /** Remembers where the stack pointer is when the plugin does nothing. */
  keepStackPointer(stackPointer: StackPointer | null): void {
    this.#stackPointer = stackPointer;
    if (stackPointer !== null) this.#stackAtRest = stackPointer.value;
  }

  /** Logs a line about the plugin or from it, unless there have been many of its `kind`. */
  log(kind: string, level: LogLevel, text: string): void {
    this.#limit.log(kind, level, text);
  }

  /** A call into the plugin that is not made from within one begins. */
  enter(): void {
    this.depth = 1;
    this.errorText = "";
    this.lie = "";
    this.#counter.enter();
  }

  /** The call that `enter` began has ended, one way or the other. */
  leave(): void {
    this.#counter.leave();
    this.depth = 0;
    this.memory.refresh();
    if (this.#failed) this.#failPending();
  }

  /** The call of `call` that `enter` began has thrown `error`. Returns CAUGHT. To be followed by leave. */
  caught(call: string, error: unknown): number {
    this.#restoreStack(this.#stackAtRest);
    this.#failed = true;
    const what = this.#counter.expired
      ? `took longer than ${this.#counter.timeoutMs} ms`
      : trapText(error);
    this.errorText = `plugin "${this.name}" ${what} in ${call}`;
    if (isHostFailure(error)) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.log(`trap ${call}`, "error", `${what} in ${call}\n${stack ?? ""}`);
      return CAUGHT;
    }
    const stack = pluginStack(error, this.#functions);
    this.log(`trap ${call}`, "error", `${what} in ${call}${stack === "" ? "" : ` (${stack})`}`);
    return CAUGHT;
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
    if (
      status === Status.Pending && this.pends && this.lie === "" && answer.lie === "" &&
      answer.failure === 0
    ) {
      answer.state = State.Pending;
      this.answers.leave();
      return Status.Pending;
    }
    const errno = this.#conclude(answer, status);
    if (answer.partsPending > 0) {
      answer.state = State.Settled;
      answer.errno = errno;
      this.answers.leave();
      return Status.Pending;
    }
    this.answers.give(answer);
    return errno;
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

  /** Remembers what is wrong with the call under way; the first counts, "" is nothing. */
  lied(fact: string): void {
    if (this.lie === "") this.lie = fact;
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
    if (answer.partsPending > 0) return;
    if (answer.state === State.Settled) this.#deliver(answer, answer.errno);
    else if (answer.state === State.Pending && answer.automatic) {
      this.errorText = answer.partText;
      this.#finish(answer, answer.partErrno);
    }
  }

  /** Tells the plugin that what it called `token` has ended; `text` is why, where that is known. */
  done(token: number, result: number, text: string): void {
    const { sbDone } = this;
    if (sbDone === null) return;
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

  /** A call of `call` on the control path. Throws BlockError when it does not end well. */
  control<T>(call: string, run: () => T): T {
    if (this.depth !== 0) throw new BlockError(Errno.EDEADLK, `${call} within another call`);
    this.enter();
    let result: T | undefined;
    let status = 0;
    try {
      result = run();
    } catch (error) {
      status = this.caught(call, error);
    }
    this.leave();
    if (status !== 0 || this.lie !== "") {
      const errno = this.#errnoOf(call, status);
      throw new BlockError(errno, this.errorText);
    }
    return result as T;
  }

  /** Like `control` for a call that returns 0 or an errno. `what` it is to do is for the message. */
  controlStatus(call: string, what: string, run: () => number): void {
    const status = this.control(call, run);
    if (status !== 0) throw this.failed(call, what, status);
  }

  /** The error for a call on the control path that has returned the errno `status`. */
  failed(call: string, what: string, status: number): BlockError {
    const errno = this.#errnoOf(call, status);
    const fact = this.errorText === "" ? errnoName(errno) : this.errorText;
    return new BlockError(errno, `cannot ${what}: ${fact}`);
  }

  /** The error for a call that has ended but brought something that is wrong: `fact`. */
  broken(call: string, fact: string): BlockError {
    this.lie = fact;
    const errno = this.#errnoOf(call, 0);
    return new BlockError(errno, this.errorText);
  }

  /** Calls the plugin from within a call or outside of one; `failed` is the result if it traps. */
  nested(call: string, run: () => number, failed: number): number {
    if (this.depth === 0) return this.#alone(call, run, failed);
    const { depth } = this;
    const stack = this.#stackPointer?.value;
    try {
      this.depth = depth + 1;
      return run();
    } catch (error) {
      if (stack !== undefined) this.#restoreStack(stack);
      this.log(
        `trap ${call}`,
        "error",
        `${trapText(error)} in ${call} (${pluginStack(error, this.#functions)})`,
      );
      return failed;
    } finally {
      this.depth = depth;
      this.memory.refresh();
    }
  }

  #alone(call: string, run: () => number, failed: number): number {
    this.enter();
    let result = failed;
    try {
      result = run();
    } catch (error) {
      this.caught(call, error);
    }
    this.leave();
    return result;
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
    const errno = this.#errnoOf(answer.call, status, answer.failure);
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
    const errno = this.#conclude(answer, status);
    this.lie = lie;
    this.errorText = "";
    if (answer.partsPending > 0) {
      answer.state = State.Settled;
      answer.errno = errno;
    } else this.#deliver(answer, errno);
  }

  #deliver(answer: Answer, errno: number): void {
    const request = answer.request!;
    if (answer.state === State.Settled) answer.assemble(false);
    const sink = answer.owner ?? request.sink;
    this.answers.give(answer);
    this.agenda.defer(sink, request, errno);
  }

  /** After a trap nobody knows what the plugin still remembers: what it was doing has failed. */
  #failPending(): void {
    this.#failed = false;
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

  /** The errno that stands for a status or for what the answer had wrong; sets errorText. */
  #errnoOf(call: string, status: number, failure = 0): number {
    if (status === CAUGHT) return Errno.EIO;
    if (this.lie === "" && (status < 0 || status > ERRNO_MAX)) {
      this.lie = `it returned ${status}, which is no errno; they are 1 to ${ERRNO_MAX}`;
    }
    if (this.lie !== "") {
      this.log(`lie ${call}`, "error", `breaks the ABI in ${call}: ${this.lie}`);
      this.errorText = `plugin "${this.name}" breaks the ABI in ${call}: ${this.lie}`;
      return Errno.EIO;
    }
    if (failure !== 0) {
      this.errorText = `there is no memory in plugin "${this.name}" for the answer`;
      return failure;
    }
    return status;
  }

  #restoreStack(value: number | bigint): void {
    if (this.#stackPointer !== null) this.#stackPointer.value = value;
  }
}
