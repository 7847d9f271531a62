// SPDX-License-Identifier: MIT
// The plugins that come with sandblock, by name. From source they are read from dist/plugins/;
// in the executable build.ts puts their bytes in the place of this file.

const DIRECTORY = `${import.meta.dirname}/../dist/plugins`;
const SUFFIX = ".wasm";

/** Names of the bundled plugins, sorted. Throws when they have not been built. */
export function bundledPluginNames(): string[] {
  try {
    return [...Deno.readDirSync(DIRECTORY)].map(({ name }) => name)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length)).sort();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(
      `cannot find the bundled plugins: "${DIRECTORY}" is missing; run deno task build`,
    );
  }
}

/** The wasm module of the bundled plugin `name`; null where there is none of that name. */
export function bundledPlugin(name: string): Uint8Array<ArrayBuffer> | null {
  if (!bundledPluginNames().includes(name)) return null;
  return Deno.readFileSync(`${DIRECTORY}/${name}${SUFFIX}`);
}
