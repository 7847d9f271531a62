// SPDX-License-Identifier: MIT
// Finds what a plugin operand names: a bundled plugin, a backend of the host, or a file.

import { FILE_MANIFEST } from "../core/backend/file_manifest.ts";
import type { Manifest } from "../core/plugin/manifest.ts";
import { readManifest } from "../core/plugin/manifest.ts";
import { didYouMean } from "../core/plugin/suggest.ts";
import { bundledPlugin, bundledPluginNames } from "../wasm-plugins/bundled.ts";
import { readFile } from "./files.ts";

/** Longest file that is looked at. A module may have 64 MiB; components bring a runtime along. */
export const PLUGIN_FILE_BYTES_MAX = 256 * 1024 * 1024;

/** A plugin or backend, not yet checked further than its manifest. */
export type Source =
  | { kind: "backend"; manifest: Manifest }
  /** `path` is null for a bundled plugin. */
  | { kind: "plugin"; manifest: Manifest; path: string | null; bytes: Uint8Array };

/** Everything that can be named without a path, in alphabetical order. */
export function knownNames(): string[] {
  return [FILE_MANIFEST.name, ...bundledPluginNames()].sort();
}

/** What `name` stands for. Throws Error with one sentence. */
export function findPlugin(name: string): Source {
  if (name === FILE_MANIFEST.name) return { kind: "backend", manifest: FILE_MANIFEST };
  if (name.includes("/") || name.endsWith(".wasm")) {
    const bytes = readFile("plugin", name, PLUGIN_FILE_BYTES_MAX);
    if (!isWebAssembly(bytes)) {
      throw new Error(
        `cannot load plugin "${name}": not a WebAssembly module; ` +
          `"file ${name}" is what serves a file as a disk`,
      );
    }
    return withReason(
      name,
      () => ({ kind: "plugin", manifest: readManifest(bytes), path: name, bytes }),
    );
  }
  const bytes = bundledPlugin(name);
  if (!bytes) throw unknown(name);
  return withReason(
    name,
    () => ({ kind: "plugin", manifest: readManifest(bytes), path: null, bytes }),
  );
}

/** Runs `action` on a plugin and says in its errors which one it was: `cannot load plugin "x": ...`. */
export function withReason<T>(name: string, action: () => T, verb = "load"): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Error(`cannot ${verb} plugin "${name}": ${error.message}`, { cause: error });
  }
}

function unknown(name: string): Error {
  const list = '"sandblock plugin list" names those there are';
  if (name === "") return new Error(`cannot find plugin "": the name is empty; ${list}`);
  const right = isFile(name)
    ? `; write "file ${name}" to serve that file as a disk, or "./${name}" if it is a plugin`
    : didYouMean(name, knownNames()) ||
      `; ${list}; write one of your own as a path, such as ./${name}.wasm`;
  return new Error(`cannot find plugin "${name}": there is none of this name${right}`);
}

/** Whether it begins like a module. */
function isWebAssembly(bytes: Uint8Array): boolean {
  return [0, 0x61, 0x73, 0x6d].every((byte, index) => bytes[index] === byte);
}

function isFile(name: string): boolean {
  try {
    return Deno.statSync(name).isFile;
  } catch {
    return false;
  }
}
