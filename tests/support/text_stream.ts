// SPDX-License-Identifier: MIT
// Text that another process writes while the test goes on.

import { within } from "./deadline.ts";

/** Reads a stream to its end from its making on. */
export class TextStream {
  /** All that has come so far. */
  text = "";
  /** Resolves at the end of the stream. */
  readonly ended: Promise<void>;
  #changed = Promise.withResolvers<void>();
  #over = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#read(stream);
  }

  /** Resolves when what has come matches, which it may have done already; the match. */
  async match(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray> {
    return await within(this.#match(pattern), `${pattern} in the output`, timeoutMs);
  }

  async #match(pattern: RegExp): Promise<RegExpMatchArray> {
    while (true) {
      const found = this.text.match(pattern);
      if (found) return found;
      if (this.#over) throw new Error(`there is no ${pattern} in the output\n${this.text}`);
      await this.#changed.promise;
    }
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      this.#wake();
    }
    this.#over = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
