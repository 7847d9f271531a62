// SPDX-License-Identifier: MIT
// How an instance on a thread of its own asks its reactor for something, and waits until it has it. Its
// deadline stands still while it waits; what it computes in between counts together.

import { joined } from "../answer_pieces.ts";
import type { PluginMemory } from "../memory.ts";
import type { CallCounter } from "../watch.ts";
import { type Channel, ToReactor, ToThread } from "./channel.ts";
import { DEFERRED, type ImportedFunction, NOTHING, REMOTE } from "./functions.ts";

/** So much of one answer is copied for the reactor to take it later; it takes the rest at once. */
const COPY_BYTES_MAX = 256 * 1024;
const HIGH = 4294967296;

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
  /** Bytes of the answer that may still be copied. */
  #copyBytes = COPY_BYTES_MAX;

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
    this.#copyBytes = COPY_BYTES_MAX;
    this.#sinceMs = performance.now();
  }

  /** The functions that the reactor does. `lend` gets memory of the plugin for an answer. */
  imports(lend: (length: number) => number): WebAssembly.ModuleImports {
    const imports: WebAssembly.ModuleImports = {};
    for (const [imported, number] of REMOTE) {
      const { name } = imported;
      imports[name] = DEFERRED.has(name)
        ? (...values: number[]) => this.#defer(number, values)
        : this.#function(imported, number);
    }
    this.#answering(imports as Record<string, (...values: number[]) => void>, lend);
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

  /**
   * Answers in the plugin's memory. The reactor, which takes them later, cannot call the plugin for memory, nor
   * find there what the plugin has changed since.
   */
  #answering(
    imports: Record<string, (...values: number[]) => void>,
    lend: (length: number) => number,
  ): void {
    const { reply_data: replyData, reply_buffer: replyBuffer } = imports;
    imports["reply_data"] = (...values) => {
      const length = joined(values[5]!, values[6]!);
      const pointer = joined(values[3]!, values[4]!);
      this.#memory.refresh();
      const mayCopy = length > 0 && length <= this.#copyBytes &&
        this.#memory.contains(pointer, length);
      const copy = mayCopy ? lend(length) : 0;
      if (copy === 0) {
        // It is told at once, so that it can be taken from where it is.
        replyData!(...values);
        return this.#flush();
      }
      this.#copyBytes -= length;
      this.#memory.bytes.copyWithin(copy, pointer, pointer + length);
      values[3] = highOf(copy);
      values[4] = copy | 0;
      replyData!(...values);
    };
    imports["reply_buffer"] = (...values) => {
      const length = values[3] === 0 ? values[4]! >>> 0 : 0;
      const pointer = length === 0 ? 0 : lend(length);
      replyBuffer!(...values, highOf(pointer), pointer | 0);
      return pointer;
    };
  }

  #defer(number: number, values: readonly number[]): void {
    if (this.#isOver) this.#end();
    if (this.#channel.addCall(number, values)) return;
    this.#flush();
    this.#channel.addCall(number, values);
  }

  /** Has the reactor do what was deferred. */
  #flush(): void {
    this.#ask(NOTHING, []);
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

  /** Says where the memory is, and how long. */
  showMemory(): void {
    this.#memory.refresh();
    this.#channel.setMemory(this.#memory.address, this.#memory.bytes.length);
  }

  #tell(kind: number, value: number): void {
    this.showMemory();
    this.#channel.tellReactor(this.#bellFd, kind, value);
  }

  /** A plugin may catch this, but not what its own code then finds. */
  #end(): never {
    this.#isOver = true;
    this.#counter.end();
    throw new WebAssembly.RuntimeError("the call was ended");
  }
}

function highOf(pointer: number): number {
  return Math.floor(pointer / HIGH);
}
