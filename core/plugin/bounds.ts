// SPDX-License-Identifier: MIT
// How much memory and how many table elements a plugin may have (ABI, "Limits").

import { PluginError } from "./errors.ts";
import { LimitsFlag, PAGE_BYTES } from "./wasm/format.ts";
import type { LimitsOf, TableOf } from "./wasm/module.ts";

/** Memory of a plugin whose manifest asks for no amount. */
export const MEMORY_DEFAULT = 256 * 1024 * 1024;
/** Elements that a table may have. */
export const TABLE_MAX = 1024 * 1024;
/** Tables and memories that a plugin may have. */
const TABLES_MAX = 16;
const MEMORIES_MAX = 16;

/** The most memory that the engine gives: 4 GiB with 32-bit addresses, 16 GiB with 64-bit ones. */
const PAGES_MAX_32 = 65536;
const PAGES_MAX_64 = 262144;

/** Size of a memory in pages of 64 KiB. */
export interface MemoryShape {
  initial: number;
  maximum: number;
  /** Addresses are i64. */
  is64: boolean;
}

/** The limits of the plugin's memories such that all together stay below `bytesMax`. */
export function limitMemories(memories: readonly LimitsOf[], bytesMax: number): LimitsOf[] {
  if (memories.length > MEMORIES_MAX) {
    throw new PluginError(`it has ${memories.length} memories; it may have ${MEMORIES_MAX}`);
  }
  const pagesMax = Math.floor(bytesMax / PAGE_BYTES);
  const initial = initialBytes(memories);
  if (initial > pagesMax * PAGE_BYTES) {
    throw new PluginError(`it starts with ${initial} bytes of memory; it may have ${bytesMax}`);
  }
  // What is left over is for the memory that comes first and may grow; the next get what it cannot
  // use. So the sum never exceeds the bound, however each of them grows.
  let spare = pagesMax - initial / PAGE_BYTES;
  return memories.map(({ flags, minimum, maximum }) => {
    const addressable = flags & LimitsFlag.Is64 ? PAGES_MAX_64 : PAGES_MAX_32;
    const growth = Math.max(0, Math.min(spare, Math.min(maximum, addressable) - minimum));
    spare -= growth;
    return { flags, minimum, maximum: minimum + growth };
  });
}

/** How much memory there is at first. */
export function initialBytes(memories: readonly LimitsOf[]): number {
  return memories.reduce((sum, { minimum }) => sum + minimum, 0) * PAGE_BYTES;
}

/** What the host makes for a memory with `limits`. */
export function memoryShape({ flags, minimum, maximum }: LimitsOf): MemoryShape {
  return { initial: minimum, maximum, is64: (flags & LimitsFlag.Is64) !== 0 };
}

/** Throws PluginError where there are too many tables or one of them is too large. */
export function checkTables(tables: readonly TableOf[]): void {
  if (tables.length > TABLES_MAX) {
    throw new PluginError(`it has ${tables.length} tables; it may have ${TABLES_MAX}`);
  }
  for (const { limits } of tables) {
    if (limits.minimum <= TABLE_MAX) continue;
    throw new PluginError(
      `it has a table of ${limits.minimum} elements; a table may have ${TABLE_MAX}`,
    );
  }
}
