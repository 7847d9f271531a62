// SPDX-License-Identifier: MIT
// What a plugin says about itself in the custom section `sandblock.manifest`, read without running
// any of its code (wasm-plugins/abi/README.md, "Manifest").

import { PluginError } from "./errors.ts";
import { checkManifest } from "./manifest_check.ts";
import type { NodeManifest } from "./manifest_node.ts";
import type { ParameterDeclaration } from "./parameters.ts";
import { oneLine } from "./text.ts";
import { readCustomSections, withCustomSection } from "./wasm/sections.ts";

/** Name of the custom section. */
export const MANIFEST_SECTION = "sandblock.manifest";
/** Longest manifest. */
export const MANIFEST_BYTES_MAX = 64 * 1024;

/**
 * `parallel`: instances share no state, so the host may run one per thread. `blocking`: the same, and
 * calls for requests may wait, so each instance has a thread of its own.
 */
export type ThreadModel = "serialized" | "parallel" | "blocking";

/** See the top of this file. Host backends declare themselves with it too. */
export interface Manifest {
  /** ABI version that the plugin was written for, `3.0`. */
  abi: string;
  /** Letters, digits, `-`, `_` and `.`; at most 64. */
  name: string;
  version: string;
  /** A filter stands above other devices. */
  kind: "plugin" | "filter";
  /** One line for people. */
  description: string;
  threads: ThreadModel;
  parameters: ParameterDeclaration[];
  limits: { /** Bytes of memory that it asks for. */ memory?: number };
  /** What came with ABI 3.1; absent where there is nothing of it. */
  node?: NodeManifest;
}

/** The manifest of a plugin. Throws PluginError. */
export function readManifest(bytes: Uint8Array): Manifest {
  const found = readCustomSections(bytes).filter(({ name }) => name === MANIFEST_SECTION);
  if (found.length > 1) {
    throw new PluginError(`it has more than one section "${MANIFEST_SECTION}"`);
  }
  const section = found[0];
  if (!section) throw new PluginError(`not a plugin: it has no section "${MANIFEST_SECTION}"`);
  return parseManifest(bytes.subarray(section.start, section.end));
}

/**
 * A module or component with `json` as its manifest, in place of one it may have. Throws PluginError where
 * `bytes` is no module or `json` is no manifest.
 */
export function writeManifest(bytes: Uint8Array, json: string): Uint8Array<ArrayBuffer> {
  const content = new TextEncoder().encode(json);
  parseManifest(content);
  return withCustomSection(bytes, MANIFEST_SECTION, content);
}

function parseManifest(content: Uint8Array): Manifest {
  if (content.length > MANIFEST_BYTES_MAX) {
    throw new PluginError(
      `its manifest is ${content.length} bytes long; it may have ${MANIFEST_BYTES_MAX}`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch (error) {
    const fact = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new PluginError(`its manifest is not JSON: ${oneLine(fact)}`);
  }
  return checkManifest(json);
}
