// SPDX-License-Identifier: MIT
// What there is to read about each bundled plugin: its README, which the executable carries as an asset,
// so that one file is all that one needs.

import { readAsset } from "../core/assets.ts";

const ASSET = "manuals.json";
/** The one that is no plugin is described among the documents. */
const FILE = "docs/file.md";

let manuals: Readonly<Record<string, string>> | null = null;

/** The page of the bundled plugin or backend `name`, in Markdown; null where there is none. */
export function pluginManual(name: string): string | null {
  manuals ??= JSON.parse(new TextDecoder().decode(readAsset(ASSET))) as Record<string, string>;
  return Object.hasOwn(manuals, name) ? manuals[name]! : null;
}

/** Writes the asset about the plugins `names` into `folder`; its name. */
export function buildPluginManuals(folder: string, names: readonly string[]): string {
  const root = new URL("../", import.meta.url);
  const read = (path: string) => Deno.readTextFileSync(new URL(path, root));
  const pages = names.map((name) => [name, read(`wasm-plugins/${name}/README.md`)]);
  const text = JSON.stringify({ ...Object.fromEntries(pages), file: read(FILE) });
  Deno.writeTextFileSync(`${folder}/${ASSET}`, text);
  return ASSET;
}
