// SPDX-License-Identifier: MIT
// Memory of a plugin for things that the host puts there, through the plugin's own sb_alloc.

import { BlockError, Errno } from "../block/errno.ts";
import type { PluginCalls } from "./calls.ts";
import type { Host } from "./host.ts";
import type { Allocator } from "./memory.ts";

/** sb_alloc and sb_free, whose results are checked; null where the plugin has none. */
export function allocatorOf(host: Host, calls: PluginCalls): Allocator | null {
  const { sb_alloc: alloc, sb_free: free } = calls;
  if (!alloc || !free) return null;
  return {
    allocate(length, alignment) {
      const pointer = host.nested("sb_alloc", () => alloc(length, alignment), 0);
      const usable = host.memory.contains(pointer, length) && pointer % alignment === 0;
      // There is no memory left, which may be more than all that there is.
      if (usable || pointer === 0) return pointer;
      const fact = `${pointer} are not ${length} bytes of its memory aligned to ${alignment}`;
      host.log("lie sb_alloc", "error", `breaks the ABI in sb_alloc: ${fact}`);
      return 0;
    },
    free(pointer, length, alignment) {
      host.nested("sb_free", () => {
        free(pointer, length, alignment);
        return 0;
      }, 0);
    },
  };
}

/** Calls `use` with a pointer to a copy of `bytes` in the plugin's memory. Throws BlockError. */
export function withBytes<T>(host: Host, bytes: Uint8Array, use: (pointer: number) => T): T {
  // So that a plugin that has no names and no texts needs no allocator.
  if (bytes.length === 0) return use(0);
  const { memory } = host;
  const pointer = memory.allocate(bytes.length, 16);
  if (pointer === 0) {
    throw new BlockError(Errno.ENOMEM, `there is no memory in plugin "${host.name}"`);
  }
  try {
    memory.bytes.set(bytes, pointer);
    return use(pointer);
  } finally {
    memory.free(pointer, bytes.length, 16);
  }
}
