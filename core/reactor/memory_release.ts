// SPDX-License-Identifier: MIT
// Gives pages of a plugin's memory back to the system (madvise(2), MADV_DONTNEED).

import type { MemoryRelease } from "../plugin/instance.ts";

const MADV_DONTNEED = 4;
const PAGE_BYTES = 4096;

const { symbols } = Deno.dlopen("libc.so.6", {
  madvise: { parameters: ["pointer", "u64", "i32"], result: "i32" },
});

/** See the top of this file. */
export const memoryRelease: MemoryRelease = {
  pageBytes: PAGE_BYTES,
  release(address: number, length: number): void {
    symbols.madvise(Deno.UnsafePointer.create(BigInt(address)), BigInt(length), MADV_DONTNEED);
  },
};
