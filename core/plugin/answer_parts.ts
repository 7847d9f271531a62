// SPDX-License-Identifier: MIT
// The order of an answer that comes from several places: pieces that the plugin gives itself and parts
// that are answered below it, some of them later (ABI, "next_forward").

import { PIECES_MAX, type Request } from "../block/request.ts";
import type { Part, PartPool } from "./part.ts";
import { settleData } from "./settle.ts";

/** See the top of this file. */
export class AnswerParts {
  /** Where pieces go now; null while that is behind a part that is still under way. */
  target: Request | null = null;
  /** Behind what is in the request already: parts, and fillers for the pieces between them, in order. */
  readonly #list: Part[] = [];
  readonly #pool: PartPool;
  /** Extents follow on one another; what comes behind one that stopped short is not known. */
  #cut = Infinity;

  constructor(pool: PartPool) {
    this.#pool = pool;
  }

  /** The answer to `request` begins. */
  begin(request: Request): void {
    this.target = request;
    this.#cut = Infinity;
  }

  /** Whether an answer waits to be put together. */
  get any(): boolean {
    return this.#list.length > 0;
  }

  /** Whether no piece can be added. */
  get full(): boolean {
    return this.target !== null && this.target.pieceCount >= PIECES_MAX;
  }

  /** Whether `part` is to become part of the answer. */
  has(part: Part): boolean {
    return this.#list.includes(part);
  }

  /** Whether the extents known so far end the answer: what is added then is left out. */
  get ended(): boolean {
    return this.#list.length >= this.#cut;
  }

  /** Makes a place for pieces behind parts that are under way. */
  filler(): Request {
    const filler = this.#pool.take();
    filler.at = 0;
    filler.count = 0;
    this.#list.push(filler);
    this.target = filler;
    return filler;
  }

  /** Adds what `part` was answered with at once. False when there is no more room for pieces. */
  add(part: Part, extents: boolean): boolean {
    if (extents && this.ended) return true;
    const added = part.appendTo(this.target ?? this.filler());
    if (extents && part.stopsShort) this.#cut = this.#list.length;
    return added;
  }

  /** Keeps the place of a part that will be answered later. */
  wait(part: Part): void {
    this.#list.push(part);
    this.target = null;
  }

  /** Takes a part out that has failed. What is behind it stays only where that says where it is. */
  drop(part: Part, extents: boolean): void {
    const index = this.#list.indexOf(part);
    if (index < 0) return;
    this.#list.splice(index, 1);
    if (extents && index < this.#list.length) this.#cut = Math.min(this.#cut, index);
  }

  /** Puts the answer together. Returns what is wrong with it; "" if nothing is. */
  merge(request: Request, extents: boolean): string {
    const list = this.#list;
    for (let index = 0; index < Math.min(list.length, this.#cut); index++) {
      const part = list[index]!;
      if (!part.appendTo(request)) return extents ? "" : `more than ${PIECES_MAX} pieces`;
      if (extents && part.stopsShort) return "";
    }
    return "";
  }

  /** Copies the stable data that has come already to room of `request`. False without memory. */
  settle(request: Request): boolean {
    for (const part of this.#list) if (!settleData(part, request)) return false;
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    for (const part of this.#list) this.#pool.give(part);
    this.#list.length = 0;
  }
}
