// SPDX-License-Identifier: MIT
// Turns a plugin file into a module that can be run within bounds: reads its manifest, checks what
// it imports and exports, rewrites its code (see wasm/) and compiles it. Runs no plugin code.

import type { Manifest } from "./manifest.ts";

/** Bounds that are built into the module. */
export interface PrepareOptions {
  /** Bytes of memory it may have; when absent, what its manifest asks for, or MEMORY_DEFAULT. */
  memoryMaximum?: number;
}

/** Memory of a plugin whose manifest asks for no amount. */
export const MEMORY_DEFAULT = 256 * 1024 * 1024;

/** A plugin ready to be instantiated, on any thread: it can be sent with `postMessage`. */
export interface PreparedPlugin {
  manifest: Manifest;
  module: WebAssembly.Module;
  /** Memories of the plugin, which the host makes, in order; `memory` says which one is exported. */
  memories: MemoryShape[];
  memory: number;
  /** Names of the ABI functions that it exports, such as `sb_pread`. */
  exports: string[];
}

/** Size of a memory in pages of 64 KiB. */
export interface MemoryShape {
  initial: number;
  maximum: number;
  /** Addresses are i64. */
  is64: boolean;
}

/** Prepares the plugin in `bytes`. Throws PluginError. */
export function preparePlugin(_bytes: Uint8Array, _options: PrepareOptions = {}): PreparedPlugin {
  throw new Error("Not written yet");
}
