// SPDX-License-Identifier: MIT
// The requests of one instance that are under way, by the numbers that the plugin knows them by.
// A number is not used again soon, so that an answer that comes too late is told from a good one.

import { Answer } from "./answer.ts";
import type { PluginMemory } from "./memory.ts";
import { PartPool } from "./part.ts";

/** Requests that one instance may have under way. */
export const REQUESTS_MAX = 65535;
/** A number is a place in the table, from 1, and above that, how often the place was used. */
const PLACE_MASK = 0xffff;
const USE = 0x10000;
const ID_MAX = 0x7fffffff;

/** See the top of this file. */
export class Answers {
  readonly parts = new PartPool();
  readonly #memory: PluginMemory;
  readonly #table: Answer[] = [];
  readonly #idle: Answer[] = [];
  /** The idle one that is taken first: where requests do not pend, it serves all of them. */
  #spare: Answer | null = null;
  /** The answer of the call under way; null where there is none. */
  current: Answer | null = null;

  constructor(memory: PluginMemory) {
    this.#memory = memory;
  }

  /** Requests that are under way. */
  get count(): number {
    return this.#table.length - this.#idle.length - (this.#spare === null ? 0 : 1);
  }

  /** The answer to a new request; null when there are too many. Its number is in `id`. */
  take(): Answer | null {
    const spare = this.#spare;
    if (spare !== null) {
      this.#spare = null;
      this.current = spare;
      return spare;
    }
    const answer = this.#idle.pop() ?? this.#make();
    this.current = answer;
    return answer;
  }

  /** The request of `answer` is finished. */
  give(answer: Answer): void {
    answer.forget();
    answer.id = (answer.id + USE) & ID_MAX;
    if (this.current === answer) this.current = null;
    if (this.#spare === null) this.#spare = answer;
    else this.#idle.push(answer);
  }

  /** The call has returned, and the request is still under way. */
  leave(): void {
    this.current = null;
  }

  /** The answer to the request that the plugin calls `id`; null where it is not under way. */
  find(id: number): Answer | null {
    const answer = this.#table[(id & PLACE_MASK) - 1];
    return answer !== undefined && answer.id === id && answer.request !== null ? answer : null;
  }

  /** What is wrong with naming the request `id` in `call`. */
  complaint(call: string, id: number): string {
    if (this.count === 0) return `${call}: there is no request`;
    return this.current === null
      ? `${call}: request ${id} is not under way`
      : `${call}: request ${id} is not the one under way, ${this.current.id}`;
  }

  /** Copies stable data of all answers that are under way; see settle.ts. */
  settle(): void {
    if (this.count === 0) return;
    for (const answer of this.#table) if (answer.request !== null) answer.settle();
  }

  /** Calls `use` with every answer to a request that is under way. */
  each(use: (answer: Answer) => void): void {
    for (const answer of [...this.#table]) if (answer.request !== null) use(answer);
  }

  #make(): Answer | null {
    if (this.#table.length === REQUESTS_MAX) return null;
    const answer = new Answer(this.#memory, this.parts);
    this.#table.push(answer);
    answer.id = this.#table.length;
    return answer;
  }
}
