// SPDX-License-Identifier: MIT
// Compiles the bundled plugins: AssemblyScript in, plugin files (ABI 3.0, with manifest) out.

import { join } from "node:path";
import asc from "assemblyscript/asc";
import { writeManifest } from "../core/plugin/manifest.ts";

/** Where the plugins are: imports between them, the SDK and lib/ are relative to it. */
const ROOT = import.meta.dirname!;

/**
 * Speed over size, as plugins are small. Without `abort` nothing is imported but the ABI, and the
 * minimal runtime leaves memory that it has not grown itself alone, as the SDK's heap does.
 */
const FLAGS = ["-O3", "--noAssert", "--debug", "--runtime", "minimal", "--use", "abort="];

/**
 * Compiles every folder here that has a manifest.json to `outDir`/NAME.wasm.
 * Returns the files written. Throws Error with the compiler's words where one does not compile.
 */
export async function buildPlugins(outDir: string): Promise<string[]> {
  await Deno.mkdir(outDir, { recursive: true });
  const files: string[] = [];
  for (const name of bundledNames()) {
    const file = join(outDir, `${name}.wasm`);
    await Deno.writeFile(file, await compilePlugin(name));
    files.push(file);
  }
  return files;
}

/** Names of the folders here that hold a plugin, in order. */
export function bundledNames(): string[] {
  const names: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(ROOT)) {
    if (isDirectory && readText(`${name}/manifest.json`) !== null) names.push(name);
  }
  return names.sort();
}

/** The plugin in `folder`, relative to this one, as the bytes of a plugin file. */
export async function compilePlugin(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const manifest = readText(`${folder}/manifest.json`);
  if (manifest === null) throw new Error(`cannot compile "${folder}": it has no manifest.json`);
  let module = new Uint8Array();
  const result = await asc.main(
    [`${folder}/assembly/index.ts`, ...FLAGS, "--outFile", "out.wasm"],
    {
      readFile: readText,
      writeFile: (_name, contents) => void (module = new Uint8Array(contents as Uint8Array)),
      listFiles: () => [],
    },
  );
  // Warnings count: they are about numbers that are cut off.
  if (result.error || module.length === 0 || `${result.stderr}` !== "") {
    throw new Error(`cannot compile "${folder}": ${result.error}\n${result.stderr}`);
  }
  return writeManifest(module, JSON.stringify(JSON.parse(manifest)));
}

/** The text of a file relative to this folder; null where there is none. */
function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(join(ROOT, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}
