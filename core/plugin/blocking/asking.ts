// SPDX-License-Identifier: MIT
// How an instance on a thread of its own asks its reactor for something, and waits until it has it. Its
// deadline stands still while it waits; what it computes in between counts together.

import type { PluginMemory } from "../memory.ts";
import type { CallCounter } from "../watch.ts";
import { type Channel, ToReactor, ToThread } from "./channel.ts";
import { type ImportedFunction, REMOTE } from "./functions.ts";

/** See the top of this file. */
export class Asking {
  /** The reactor wants no more of the call under way. */
  aborted = false;
  readonly #channel: Channel;
  readonly #bellFd: number;
  readonly #counter: CallCounter;
  readonly #memory: PluginMemory;
  #sinceMs = 0;
  #spentMs = 0;
  #isOver = false;

  constructor(channel: Channel, bellFd: number, counter: CallCounter, memory: PluginMemory) {
    this.#channel = channel;
    this.#bellFd = bellFd;
    this.#counter = counter;
    this.#memory = memory;
  }

  /** A call begins. */
  begin(): void {
    this.aborted = false;
    this.#isOver = false;
    this.#spentMs = 0;
    this.#sinceMs = performance.now();
  }

  /** The functions that the reactor does. `lend` gets memory of the plugin for an answer. */
  imports(lend: (length: number) => number): WebAssembly.ModuleImports {
    const imports: WebAssembly.ModuleImports = {};
    for (const [imported, number] of REMOTE) {
      imports[imported.name] = this.#function(imported, number);
    }
    imports["reply_buffer"] = this.#replyBuffer(lend);
    return imports;
  }

  /** Tells the reactor which handle the plugin has given to the export `number`. Returns an errno. */
  opened(number: number, handle: number): number {
    this.#channel.setArgument(0, number);
    this.#channel.setArgument(1, handle);
    this.#tell(ToReactor.Opened, 0);
    return this.#channel.result;
  }

  #function({ result }: ImportedFunction, number: number): (...values: number[]) => unknown {
    const channel = this.#channel;
    const ask = (values: number[]) => this.#ask(number, values);
    if (result === "none") return (...values) => ask(values);
    if (result === "signed") return (...values) => (ask(values), channel.result);
    if (result === "big") return (...values) => (ask(values), channel.bigResult);
    return (...values) => (ask(values), channel.result >>> 0);
  }

  /** The reactor cannot call the plugin for memory, so that goes along. */
  #replyBuffer(lend: (length: number) => number): (...values: number[]) => number {
    const number = REMOTE.find(([{ name }]) => name === "reply_buffer")![1];
    return (...values) => {
      const length = values[3] === 0 ? values[4]! >>> 0 : 0;
      const pointer = length === 0 ? 0 : lend(length);
      this.#channel.pointer = pointer;
      this.#ask(number, values);
      return this.#channel.result === 0 ? 0 : pointer;
    };
  }

  #ask(number: number, values: readonly number[]): void {
    const nowMs = performance.now();
    this.#spentMs += nowMs - this.#sinceMs;
    if (this.#isOver || this.#spentMs > this.#counter.timeoutMs) this.#end();
    for (let index = 0; index < values.length; index++) {
      this.#channel.setArgument(index, values[index]!);
    }
    this.#counter.leave();
    this.#tell(ToReactor.Import, number);
    this.#counter.enter();
    // What is done at once is done on behalf of the plugin.
    this.#sinceMs = this.#channel.kind === ToThread.LateResult ? performance.now() : nowMs;
    if (this.#channel.kind !== ToThread.Abort) return;
    this.aborted = true;
    this.#end();
  }

  #tell(kind: number, value: number): void {
    this.#memory.refresh();
    this.#channel.setMemory(this.#memory.address, this.#memory.bytes.length);
    this.#channel.tellReactor(this.#bellFd, kind, value);
  }

  /** A plugin may catch this, but not what its own code then finds. */
  #end(): never {
    this.#isOver = true;
    this.#counter.end();
    throw new WebAssembly.RuntimeError("the call was ended");
  }
}
