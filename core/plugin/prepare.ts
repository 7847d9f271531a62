// SPDX-License-Identifier: MIT
// Turns a plugin file into a module that can be run within bounds: reads its manifest, checks what
// it imports and exports, rewrites its code (see wasm/) and compiles it. Runs no plugin code.

import { checkExports, checkImportKinds, checkImports, checkMemory } from "./check.ts";
import { PluginError } from "./errors.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { External, LimitsFlag, PAGE_BYTES, ValueType } from "./wasm/format.ts";
import { type LimitsOf, type ModuleShape, readModule } from "./wasm/module.ts";
import { globalByName } from "./wasm/names.ts";
import { oneLine } from "./text.ts";
import type { FunctionTable } from "./trap.ts";
import { type ExportPlan, rewriteModule, type RewrittenModule } from "./wasm/rewrite.ts";

/** Bounds that are built into the module. */
export interface PrepareOptions {
  /** Bytes of memory it may have; when absent, what its manifest asks for, or MEMORY_DEFAULT. */
  memoryMaximum?: number;
}

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

/** Name under which the stack pointer is exported, if it is found. */
export const STACK_POINTER = "__stack_pointer";
const STACK_POINTER_NAMES = [STACK_POINTER, "~lib/memory/__stack_pointer"];

/** A plugin ready to be instantiated, on any thread: it can be sent with `postMessage`. */
export interface PreparedPlugin {
  manifest: Manifest;
  module: WebAssembly.Module;
  /** Memories of the plugin, which the host makes, in order; `memory` says which one is exported. */
  memories: MemoryShape[];
  memory: number;
  /** Names of the ABI functions that it exports, such as `sb_pread`, and that it imports. */
  exports: string[];
  imports: string[];
  /** Bytes of memory that it may have in all. */
  memoryMaximum: number;
  /** Where its functions are, for telling where one was when something happened. */
  functions: FunctionTable;
}

/** Size of a memory in pages of 64 KiB. */
export interface MemoryShape {
  initial: number;
  maximum: number;
  /** Addresses are i64. */
  is64: boolean;
}

/** Prepares the plugin in `bytes`. Throws PluginError. */
export function preparePlugin(bytes: Uint8Array, options: PrepareOptions = {}): PreparedPlugin {
  const manifest = readManifest(bytes);
  // The engine checks the module first, so that the rewriting need not: what is rewritten is valid.
  const own = new Uint8Array(bytes);
  if (!WebAssembly.validate(own)) throw new PluginError(whyInvalid(own));
  const shape = readModule(own);
  checkImportKinds(shape);
  const memory = checkMemory(shape);
  const is64 = (shape.memories[memory]!.flags & LimitsFlag.Is64) !== 0;
  const imports = checkImports(shape, is64, manifest);
  const exports = checkExports(shape, is64, manifest);
  const memoryMaximum = options.memoryMaximum ?? manifest.limits.memory ?? MEMORY_DEFAULT;
  const memories = limitMemories(shape.memories, memoryMaximum);
  checkTables(shape);
  const rewritten = rewriteModule(shape, {
    memories,
    tableMaximum: TABLE_MAX,
    imports,
    exports,
    globals: stackPointer(shape),
  });
  return {
    manifest,
    module: compile(rewritten.bytes),
    memories: memories.map(({ flags, minimum, maximum }) => {
      return { initial: minimum, maximum, is64: (flags & LimitsFlag.Is64) !== 0 };
    }),
    memory,
    exports: exports.map(({ name }) => name),
    imports: shape.imports.map(({ name }) => name),
    memoryMaximum,
    functions: functionTable(shape, exports, rewritten),
  };
}

function functionTable(
  { imports }: ModuleShape,
  exports: readonly ExportPlan[],
  { bodies, bodiesEnd }: RewrittenModule,
): FunctionTable {
  const names = exports.map(({ name, functionIndex }): [number, string] => [functionIndex, name]);
  return { first: imports.length, bodies, bodiesEnd, names: new Map(names) };
}

function whyInvalid(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
  } catch (error) {
    // Without `WebAssembly.Module(): `, which says nothing to somebody who has written a plugin.
    const fact = (error as Error).message.replace(/^WebAssembly\.[A-Za-z]+\(\): /, "");
    return `not a valid WebAssembly module: ${oneLine(fact)}`;
  }
  return "not a valid WebAssembly module";
}

function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    // Limits of the engine, such as the size of one function, can be met by rewriting alone.
    throw new PluginError(`it cannot be compiled: ${oneLine((error as Error).message)}`);
  }
}

/** The limits of the plugin's memories such that all together stay below `bytesMax`. */
function limitMemories(memories: LimitsOf[], bytesMax: number): LimitsOf[] {
  if (memories.length > MEMORIES_MAX) {
    throw new PluginError(`it has ${memories.length} memories; it may have ${MEMORIES_MAX}`);
  }
  const pagesMax = Math.floor(bytesMax / PAGE_BYTES);
  const initial = memories.reduce((sum, { minimum }) => sum + minimum, 0);
  if (initial > pagesMax) {
    throw new PluginError(
      `it starts with ${initial * PAGE_BYTES} bytes of memory; it may have ${bytesMax}`,
    );
  }
  // What is left over is for the memory that comes first and may grow; the next get what it cannot
  // use. So the sum never exceeds the bound, however each of them grows.
  let spare = pagesMax - initial;
  return memories.map(({ flags, minimum, maximum }) => {
    const addressable = flags & LimitsFlag.Is64 ? PAGES_MAX_64 : PAGES_MAX_32;
    const growth = Math.max(0, Math.min(spare, Math.min(maximum, addressable) - minimum));
    spare -= growth;
    return { flags, minimum, maximum: minimum + growth };
  });
}

function checkTables({ tables }: ModuleShape): void {
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

/** The global that a compiler uses as stack pointer: exported, or known by its name. */
function stackPointer(shape: ModuleShape): { name: string; index: number }[] {
  const exported = shape.exports.find(({ name, kind }) => {
    return name === STACK_POINTER && kind === External.Global;
  });
  const index = exported?.index ?? globalByName(shape, STACK_POINTER_NAMES);
  const global = shape.globals[index];
  if (!global?.mutable) return [];
  if (global.type !== ValueType.I32 && global.type !== ValueType.I64) return [];
  return [{ name: STACK_POINTER, index }];
}
