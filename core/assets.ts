// SPDX-License-Identifier: MIT
// Large files that few runs need, by name. From source they are read from dist/assets/; in the
// executable build.ts puts a reader of the executable itself in the place of this file.

const DIRECTORY = `${import.meta.dirname}/../dist/assets`;

/** The bytes of the asset `name`, as they were stored. Throws Error where there is none. */
export function readAsset(name: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(`${DIRECTORY}/${name}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`cannot find "${DIRECTORY}/${name}": run deno task build`);
  }
}
