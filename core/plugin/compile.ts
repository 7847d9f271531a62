// SPDX-License-Identifier: MIT
// The last steps of preparing a module: what the host needs of it besides its functions, and having
// the engine compile it.

import { PluginError } from "./errors.ts";
import { oneLine } from "./text.ts";
import { External, ValueType } from "./wasm/format.ts";
import type { ModuleShape } from "./wasm/module.ts";
import { globalByName } from "./wasm/names.ts";

/** Name under which the stack pointer is exported, if it is found. */
export const STACK_POINTER = "__stack_pointer";
const STACK_POINTER_NAMES = [STACK_POINTER, "~lib/memory/__stack_pointer"];

/** The rewritten module in `bytes`, compiled. Throws PluginError. */
export function compileModule(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    // Limits of the engine, such as the size of one function, can be met by rewriting alone.
    throw new PluginError(`it cannot be compiled: ${oneLine((error as Error).message)}`);
  }
}

/** The global that a compiler uses as stack pointer: exported, or known by its name. */
export function stackPointer(shape: ModuleShape): { name: string; index: number }[] {
  const exported = shape.exports.find(({ name, kind }) => {
    return name === STACK_POINTER && kind === External.Global;
  });
  const index = exported?.index ?? globalByName(shape, STACK_POINTER_NAMES);
  const global = shape.globals[index];
  if (!global?.mutable) return [];
  if (global.type !== ValueType.I32 && global.type !== ValueType.I64) return [];
  return [{ name: STACK_POINTER, index }];
}
