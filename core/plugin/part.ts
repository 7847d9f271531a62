// SPDX-License-Identifier: MIT
// A request that a filter makes to what is below it: a part of the request that it was called for,
// whose answer becomes part of that one's, or one of its own, for data in its own memory.

import { ExtentFlag, Piece, PIECES_MAX, Request } from "../block/request.ts";
import { toNumber } from "../block/uint64.ts";
import type { Answer } from "./answer.ts";
import type { NextHandle } from "./next_handle.ts";

/** See the top of this file. */
export class Part extends Request {
  /** The answer that this is part of; null for a request of the filter's own. */
  answer: Answer | null = null;
  /** What the filter has open; the request must be finished before that can be closed. */
  handle: NextHandle | null = null;
  /** Where its answer begins in the request that it is part of, and how long it is. */
  at = 0;
  count = 0;
  /** What sb_done is called with; `told` is false where it is not called. */
  notice = 0;
  told = false;
  /** A read that fails as a whole when a piece of it does. */
  whole = false;
  /** Own reads and extents: where in the filter's memory the result goes. */
  pointer = 0;
  /** Own reads: bytes of room that were taken. */
  taken = 0;

  /**
   * Adds the pieces to `target`, `at` bytes further on. Extents beyond the end of this part are cut
   * off. False when `target` cannot take them all.
   */
  appendTo(target: Request): boolean {
    const count = this.pieceCount;
    if (target.pieceCount + count > PIECES_MAX) return false;
    let left = this.count;
    for (let index = 0; index < count; index++) {
      const at = this.pieceAt(index);
      const length = this.pieceLength(index);
      const value = this.pieceValue(index);
      switch (this.pieceKind(index)) {
        case Piece.Data:
          target.data(this.at + at, value, length, false);
          break;
        case Piece.StableData:
          target.data(this.at + at, value, length, true);
          break;
        case Piece.Zero:
          target.zero(this.at + at, length, false);
          break;
        case Piece.Hole:
          target.zero(this.at + at, length, true);
          break;
        case Piece.Error:
          target.fail(this.at + at, length, value);
          break;
        case Piece.Extent: {
          const bytes = toNumber(at, length);
          if (this.count === 0 || bytes <= left) target.extent(at, length, value);
          else if (left > 0) target.extent(Math.floor(left / HIGH), left % HIGH, value);
          left -= bytes;
          break;
        }
      }
    }
    return true;
  }

  /** Whether the extents end before it does. A filler, which has no length, never does. */
  get stopsShort(): boolean {
    let bytes = 0;
    for (let index = 0; index < this.pieceCount; index++) {
      bytes += toNumber(this.pieceAt(index), this.pieceLength(index));
    }
    return bytes < this.count;
  }

  /** The errno of the first piece that failed; 0 where none has, or where each stands for itself. */
  wholeErrno(): number {
    for (let index = 0; this.whole && index < this.pieceCount; index++) {
      if (this.pieceKind(index) === Piece.Error) return this.pieceValue(index);
    }
    return 0;
  }

  /** What is wrong with the pieces as the answer to this read; "" if nothing is. */
  readFault(): string {
    let at = 0;
    for (let index = 0; index < this.pieceCount; index++) {
      if (this.pieceKind(index) > Piece.Error || this.pieceAt(index) !== at) return "has gaps";
      at += this.pieceLength(index);
    }
    return at === this.count ? "" : `ends at ${at}, not ${this.count}`;
  }

  /** Status flags of an extent as the ABI has them. */
  extentFlags(index: number): number {
    return this.pieceValue(index) & (ExtentFlag.Hole | ExtentFlag.Zero);
  }
}

const HIGH = 4294967296;

/** Lends parts. */
export class PartPool {
  readonly #idle: Part[] = [];

  take(): Part {
    return this.#idle.pop() ?? new Part();
  }

  give(part: Part): void {
    part.clear();
    part.answer = null;
    part.handle = null;
    part.whole = false;
    this.#idle.push(part);
  }
}
