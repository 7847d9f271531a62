// SPDX-License-Identifier: MIT
// How the functions of one instance are called: the deadline runs meanwhile, and whatever ends a call
// before its time is turned into an errno and a text, after which the instance is as fit to be called
// as before. What becomes of requests is in host.ts.

import { BlockError, Errno, ERRNO_MAX, errnoName } from "../block/errno.ts";
import type { LogLevel } from "./instance.ts";
import { LogLimit } from "./log_limit.ts";
import type { PluginMemory } from "./memory.ts";
import { type FunctionTable, isHostFailure, pluginStack, trapText } from "./trap.ts";
import type { CallCounter } from "./watch.ts";

/** What `caught` returns: the call did not come to its end. */
export const CAUGHT = -0x7fffffff;

/** The stack pointer of a plugin, as an exported global. */
export type StackPointer = { value: number | bigint };

/** See the top of this file. */
export abstract class Caller {
  readonly name: string;
  readonly memory: PluginMemory;
  /** What is wrong with the call under way; empty while nothing is. */
  lie = "";
  /** What error_text said during this call, or how the call ended before its time. */
  errorText = "";
  /** It has failed and must not be called any more. */
  dead = false;
  /** The call under way is none for a request, so it may wait for the disk. */
  mayWait = false;
  /** Calls into the plugin that are under way; more than one when it calls back into the host. */
  depth = 0;

  readonly #counter: CallCounter;
  readonly #limit: LogLimit;
  readonly #log: (level: LogLevel, text: string) => void;
  /** The plugin may log as many lines as it likes. */
  logsFreely = false;
  readonly #functions: FunctionTable;
  #stackPointer: StackPointer | null = null;
  #stackAtRest: number | bigint = 0;
  #failed = false;

  constructor(
    name: string,
    memory: PluginMemory,
    counter: CallCounter,
    functions: FunctionTable,
    log: (level: LogLevel, text: string) => void,
  ) {
    this.name = name;
    this.memory = memory;
    this.#counter = counter;
    this.#functions = functions;
    this.#log = (level, text) => log(level, `plugin "${name}": ${text}`);
    this.#limit = new LogLimit(this.#log);
  }

  /** A call was ended before its time: nobody knows what the plugin still remembers. */
  protected abstract instanceFailed(): void;

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

  /** Logs a line that the plugin has written. */
  logLine(level: LogLevel, text: string): void {
    if (this.logsFreely) this.#log(level, text);
    else this.log(`log ${level}`, level, text);
  }

  /** Remembers what is wrong with the call under way; the first counts, "" is nothing. */
  lied(fact: string): void {
    if (this.lie === "") this.lie = fact;
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
    if (!this.#failed) return;
    this.#failed = false;
    this.instanceFailed();
  }

  /** The call under way waits: others may be called, and its time stands still. */
  suspend(): void {
    this.#counter.leave();
    this.depth = 0;
  }

  /** What the call under way has waited for has ended. */
  resume(): void {
    this.depth = 1;
    this.#counter.enter();
    this.memory.refresh();
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

  /** A call of `call` on the control path. Throws BlockError when it does not end well. */
  control<T>(call: string, run: () => T): T {
    if (this.depth !== 0) throw new BlockError(Errno.EDEADLK, `${call} within another call`);
    if (this.dead) throw new BlockError(Errno.EIO, `plugin "${this.name}" has failed`);
    this.enter();
    this.mayWait = true;
    let result: T | undefined;
    let status = 0;
    try {
      result = run();
    } catch (error) {
      status = this.caught(call, error);
    }
    this.mayWait = false;
    this.leave();
    if (status !== 0 || this.lie !== "") {
      const errno = this.errnoOf(call, status);
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
    const errno = this.errnoOf(call, status);
    const fact = this.errorText === "" ? errnoName(errno) : this.errorText;
    return new BlockError(errno, `cannot ${what}: ${fact}`);
  }

  /** The error for a call that has ended but brought something that is wrong: `fact`. */
  broken(call: string, fact: string): BlockError {
    this.lie = fact;
    const errno = this.errnoOf(call, 0);
    return new BlockError(errno, this.errorText);
  }

  /** Calls something whose failure nobody can do anything about. It is logged. */
  quietly(call: string, run: () => void): void {
    try {
      this.control(call, run);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
  }

  /** Calls the plugin from within a call or outside of one; `failed` is the result if it traps. */
  nested(call: string, run: () => number, failed: number): number {
    if (this.dead) return failed;
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

  /** A call of its own, of which what is known about the call before it stays as it was. */
  #alone(call: string, run: () => number, failed: number): number {
    const { lie, errorText } = this;
    this.enter();
    let result = failed;
    try {
      result = run();
    } catch (error) {
      this.caught(call, error);
    }
    this.leave();
    if (this.lie !== "") this.log(`lie ${call}`, "error", `breaks the ABI in ${call}: ${this.lie}`);
    this.lie = lie;
    this.errorText = errorText;
    return result;
  }

  /** The errno that stands for a status or for what the answer had wrong; sets errorText. */
  protected errnoOf(call: string, status: number, failure = 0): number {
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
