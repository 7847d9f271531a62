// SPDX-License-Identifier: MIT
// Puts a manifest into a module, right or wrong, for tests.

import { MANIFEST_SECTION } from "../plugin/manifest.ts";
import { withCustomSection } from "../plugin/wasm/sections.ts";

/** A copy of the module with `manifest` as its manifest. */
export function writeSection(bytes: Uint8Array, manifest: unknown): Uint8Array<ArrayBuffer> {
  const content = new TextEncoder().encode(JSON.stringify(manifest));
  return withCustomSection(bytes, MANIFEST_SECTION, content);
}
