// SPDX-License-Identifier: MIT
// Takes a component apart with jco, pinned to a version whose calls are fast (docs/dependencies.md),
// into core modules and JavaScript that connects them. It is loaded when it is first needed.

import { readAsset } from "../../assets.ts";
import { PluginError } from "../errors.ts";
import { oneLine } from "../text.ts";
import { originalOf, skeletonOf } from "./skeleton.ts";
import { runJcoProgram } from "./jco_program.ts";

/** What a component was taken apart into. */
export interface Transpiled {
  /** JavaScript with one export, `instantiate`. */
  source: string;
  /** Core modules under the names by which `source` asks for them. */
  files: { name: string; bytes: Uint8Array<ArrayBuffer> }[];
  /** Interfaces that it imports, without versions, and exports, with them. */
  imports: string[];
  exports: string[];
}

interface Bindgen {
  generate(component: Uint8Array, options: Record<string, unknown>): {
    files: [string, Uint8Array][];
    imports: string[];
    exports: [string, string][];
  };
}

const PROGRAM = "js-component-bindgen-component.js";
const OPTIONS = {
  name: "plugin",
  instantiation: { tag: "sync" },
  noTypescript: true,
  noNodejsCompat: true,
  base64Cutoff: 0,
};

let bindgen: Bindgen | null = null;

/** Takes the component in `bytes` apart. Throws PluginError. */
export function transpile(bytes: Uint8Array): Transpiled {
  const { component, modules } = skeletonOf(bytes);
  bindgen ??= load();
  let result: ReturnType<Bindgen["generate"]>;
  try {
    result = bindgen.generate(component, OPTIONS);
  } catch (error) {
    // It may be unfit for another call after it has failed.
    bindgen = null;
    throw new PluginError(`a component that cannot be adapted: ${reason(error)}`);
  }
  const source = result.files.find(([name]) => name === "plugin.js")![1];
  return {
    source: new TextDecoder().decode(source),
    files: result.files
      .filter(([name]) => name.endsWith(".wasm"))
      .map(([name, bytes]) => ({ name, bytes: originalOf(new Uint8Array(bytes), modules) })),
    imports: result.imports,
    exports: result.exports.map(([name]) => name),
  };
}

/** A text of jco's has the reason in its last lines. */
function reason(error: unknown): string {
  const { payload, message } = error as { payload?: unknown; message: string };
  return oneLine(String(payload ?? message).trim());
}

function load(): Bindgen {
  const source = new TextDecoder().decode(unpacked(PROGRAM));
  return runJcoProgram<Bindgen>(source, unpacked);
}

function unpacked(name: string): Uint8Array<ArrayBuffer> {
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  return new Uint8Array(zstdDecompressSync(readAsset(`${name}.zst`)));
}
