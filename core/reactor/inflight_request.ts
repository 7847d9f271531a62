// SPDX-License-Identifier: MIT
// A request together with the blocks of memory that it keeps in use until its answer is sent.

import { Request } from "../block/request.ts";
import type { Block } from "./buffer_pool.ts";
import type { WriteStream } from "./write_stream.ts";

/** See the top of this file. */
export class InflightRequest extends Request {
  /** Where a payload that is still being written lies; null while nothing is pinned. */
  payloadBlock: Block | null = null;
  /** The large write that this is a part of. */
  stream: WriteStream | null = null;
  /** Blocks that pieces of the answer lie in, each counted once in `Block.references`. */
  readonly answerBlocks: Block[] = [];
  /** How many of `answerBlocks` are valid; the array itself is reused. */
  answerBlockCount = 0;

  /** Keeps `block` in use until the answer is sent. */
  hold(block: Block): void {
    const count = this.answerBlockCount;
    if (count > 0 && this.answerBlocks[count - 1] === block) return;
    block.references++;
    this.answerBlocks[count] = block;
    this.answerBlockCount = count + 1;
  }
}

/** Request objects that wait to be used again. */
export class RequestPool {
  readonly #free: InflightRequest[] = [];

  take(): InflightRequest {
    const request = this.#free.pop() ?? new InflightRequest();
    request.clear();
    return request;
  }

  give(request: InflightRequest): void {
    request.answerBlockCount = 0;
    request.payloadBlock = null;
    request.stream = null;
    this.#free.push(request);
  }
}
