// SPDX-License-Identifier: MIT
// What a plugin says about itself in the custom section `sandblock.manifest`, read without running
// any of its code (wasm-plugins/abi/README.md, "Manifest").

import type { ParameterDeclaration } from "./parameters.ts";

/** See the top of this file. Host backends declare themselves with it too. */
export interface Manifest {
  /** ABI version that the plugin was written for, `3.0`. */
  abi: string;
  /** Letters, digits, `-`, `_` and `.`; at most 64. */
  name: string;
  version: string;
  kind: "plugin";
  /** One line for people. */
  description: string;
  /** `parallel`: instances share no state, so the host may run one per thread. */
  threads: "serialized" | "parallel";
  parameters: ParameterDeclaration[];
  limits: { /** Bytes of memory that it asks for. */ memory?: number };
}

/** The manifest of a plugin. Throws PluginError. */
export function readManifest(_bytes: Uint8Array): Manifest {
  throw new Error("Not written yet");
}

/**
 * A module with `json` as its manifest, in place of one it may have. Throws PluginError where
 * `bytes` is no module or `json` is no manifest.
 */
export function writeManifest(_bytes: Uint8Array, _json: string): Uint8Array<ArrayBuffer> {
  throw new Error("Not written yet");
}
