// SPDX-License-Identifier: MIT
// Plugins compiled for tests, once per process, with a limit on their memory where that is wanted.

import assert from "node:assert/strict";
import { compilePlugin } from "./build.ts";

/** Surroundings of a plugin under test. */
export interface TestLimits {
  /** Pages of 64 KiB that its memory may grow to, at most 16383. */
  pages?: number;
}

const compiled = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** The module of the plugin in `folder`. */
export async function compileModule(
  folder: string,
  { pages }: TestLimits,
): Promise<WebAssembly.Module> {
  let bytes = compiled.get(folder);
  if (bytes === undefined) {
    bytes = compilePlugin(folder);
    compiled.set(folder, bytes);
  }
  return new WebAssembly.Module(pages ? limitMemory(await bytes, pages) : await bytes);
}

/** The module with a maximum for its memory, which AssemblyScript leaves out. */
function limitMemory(module: Uint8Array, pages: number): Uint8Array<ArrayBuffer> {
  let at = 8;
  while (at < module.length) {
    const id = module[at++];
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size |= (module[at]! & 127) << shift;
      more = module[at++]! > 127;
    }
    if (id === 5) {
      // One memory, no maximum, at most 127 pages at first.
      assert.deepEqual([size, module[at], module[at + 1]], [3, 1, 0]);
      const limited = [5, 1, 1, module[at + 2]!, (pages & 127) | 128, pages >> 7];
      return Uint8Array.from([
        ...module.subarray(0, at - 1),
        ...limited,
        ...module.subarray(at + size),
      ]);
    }
    at += size;
  }
  throw new Error("the module has no memory");
}
