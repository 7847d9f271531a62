// SPDX-License-Identifier: MIT
// Room for the answers to a filter's own reads: the very memory that it wants them in.

import type { PayloadMemory } from "../block/memory.ts";
import type { ReplySpace, Request } from "../block/request.ts";
import type { Part } from "./part.ts";

/** See the top of this file. */
export class NextSpace implements ReplySpace {
  constructor(readonly memory: PayloadMemory) {}

  take(request: Request, length: number): number {
    const part = request.root as Part;
    if (part.taken + length > part.count) return 0;
    const address = this.memory.address + part.pointer + part.taken;
    part.taken += length;
    return address;
  }
}
