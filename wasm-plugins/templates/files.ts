// SPDX-License-Identifier: MIT
// The files of wasm-plugins/ that new plugins begin with. From source they are read here; in the
// executable build.ts puts them in the place of this file.

const ROOT = `${import.meta.dirname}/..`;
/** What a new plugin has no use for. */
const LEFT_BEHIND = /_test\.ts$|^example$|^examples$|^target$|^node_modules$/;

/**
 * The text files below `path`, a file or folder of wasm-plugins/, by their paths relative to it ("" for
 * a file itself). Empty where there is none.
 */
export function templateFiles(path: string): Record<string, string> {
  const files: Record<string, string> = {};
  collect(`${ROOT}/${path}`, "", files);
  return files;
}

function collect(root: string, at: string, files: Record<string, string>): void {
  const path = at === "" ? root : `${root}/${at}`;
  const info = statOrNull(path);
  if (info === null) return;
  if (!info.isDirectory) {
    files[at] = Deno.readTextFileSync(path);
    return;
  }
  const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  for (const name of names) {
    if (!LEFT_BEHIND.test(name)) collect(root, at === "" ? name : `${at}/${name}`, files);
  }
}

function statOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
