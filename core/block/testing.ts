// SPDX-License-Identifier: MIT
// For tests: room for answers straight from a memory, which nobody takes back.

import type { PayloadMemory } from "./memory.ts";
import type { ReplySpace } from "./request.ts";

/** Lends memory of `memory` at multiples of `alignment`. */
export function spaceIn(memory: PayloadMemory, alignment = 16): ReplySpace {
  return {
    memory,
    take(_request, length) {
      const pointer = memory.allocate(length, alignment);
      return pointer === 0 ? 0 : memory.address + pointer;
    },
  };
}
