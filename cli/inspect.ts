// SPDX-License-Identifier: MIT
// Looks into a plugin without running it: checks and compiles it, and collects what there is to say.

import { EXPORT_PREFIX } from "../core/plugin/abi.ts";
import { preparePlugin } from "../core/plugin/prepare.ts";
import type { Description } from "./describe.ts";
import { findPlugin, withReason } from "./plugins.ts";

const PAGE_BYTES = 65536;

/** The description of the plugin or backend that `name` stands for. Throws Error with one sentence. */
export function inspectPlugin(name: string): Description {
  const source = findPlugin(name);
  const { manifest } = source;
  if (source.kind === "backend") {
    return { manifest, path: null, functions: [], memoryMaximum: null };
  }
  const prepared = withReason(name, () => preparePlugin(source.bytes));
  const { code, memories, memory, memoryMaximum } = prepared;
  return {
    manifest,
    path: source.path,
    functions: prepared.exports.map((name) => name.slice(EXPORT_PREFIX.length)).sort(),
    memoryMaximum: code instanceof WebAssembly.Module
      ? memories[memory]!.maximum * PAGE_BYTES
      : memoryMaximum,
  };
}
