// SPDX-License-Identifier: MIT
// Turns a plugin file into a module that can be run within bounds: reads its manifest, checks what
// it imports and exports, rewrites its code (see wasm/) and compiles it. Runs no plugin code.

import {
  checkTables,
  initialBytes,
  limitMemories,
  MEMORY_DEFAULT,
  type MemoryShape,
  memoryShape,
  TABLE_MAX,
} from "./bounds.ts";
import { compileModule, stackPointer } from "./compile.ts";
import { checkExports, checkImportKinds, checkImports, checkMemory } from "./check.ts";
import { PluginError } from "./errors.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { prepareComponent, type PreparedComponent } from "./component/prepare.ts";
import { LimitsFlag } from "./wasm/format.ts";
import { type ModuleShape, readModule } from "./wasm/module.ts";
import { oneLine } from "./text.ts";
import type { FunctionTable } from "./trap.ts";
import { type ExportPlan, rewriteModule, type RewrittenModule } from "./wasm/rewrite.ts";
import { isComponent } from "./wasm/sections.ts";

/** Bounds that are built into the module. */
export interface PrepareOptions {
  /** Bytes of memory it may have; when absent, what its manifest asks for, or MEMORY_DEFAULT. */
  memoryMaximum?: number;
}

/** A plugin ready to be instantiated, on any thread: it can be sent with `postMessage`. */
export interface PreparedPlugin {
  manifest: Manifest;
  /** A core module, or what a component is made of. */
  code: WebAssembly.Module | PreparedComponent;
  /** Memories of the plugin, which the host makes, in order; `memory` says which one is exported. */
  memories: MemoryShape[];
  memory: number;
  /**
   * Names of the ABI functions that it exports, such as `sb_pread`, and that it imports. What a
   * component exports is known when it runs.
   */
  exports: string[];
  imports: string[];
  /** Bytes of memory that it may have in all. */
  memoryMaximum: number;
  /** Bytes of memory that it begins with. */
  memoryInitial: number;
  /** Where its functions are, for telling where one was when something happened. */
  functions: FunctionTable;
}

/** Prepares the plugin in `bytes`. Throws PluginError. */
export function preparePlugin(bytes: Uint8Array, options: PrepareOptions = {}): PreparedPlugin {
  const manifest = readManifest(bytes);
  const memoryMaximum = options.memoryMaximum ?? manifest.limits.memory ?? MEMORY_DEFAULT;
  if (isComponent(bytes)) return prepareComponent(manifest, bytes, memoryMaximum);
  // The engine checks the module first, so that the rewriting need not: what is rewritten is valid.
  const own = new Uint8Array(bytes);
  if (!WebAssembly.validate(own)) throw new PluginError(whyInvalid(own));
  const shape = readModule(own);
  checkImportKinds(shape);
  const memory = checkMemory(shape);
  const is64 = (shape.memories[memory]!.flags & LimitsFlag.Is64) !== 0;
  const imports = checkImports(shape, is64, manifest);
  const exports = checkExports(shape, is64, manifest);
  const memories = limitMemories(shape.memories, memoryMaximum);
  checkTables(shape.tables);
  const rewritten = rewriteModule(shape, {
    memories,
    tableMaximum: TABLE_MAX,
    imports,
    exports,
    globals: stackPointer(shape),
  });
  return {
    manifest,
    code: compileModule(rewritten.bytes),
    memories: memories.map(memoryShape),
    memory,
    exports: exports.map(({ name }) => name),
    imports: shape.imports.map(({ name }) => name),
    memoryMaximum,
    memoryInitial: initialBytes(memories),
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
