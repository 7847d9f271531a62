// SPDX-License-Identifier: MIT
// The sources of the module bdus (kmod/). From source they are read from there; the executable carries
// them as an asset, which the build makes.

import { readAsset } from "../assets.ts";

const ASSET = "kmod.json";

/** Contents by file name. Throws Error where the build has not left them. */
export function moduleSources(): Record<string, string> {
  return JSON.parse(new TextDecoder().decode(readAsset(ASSET)));
}

/** Writes the asset into `folder`; its name. */
export function buildModuleSources(folder: string): string {
  const root = new URL("../../kmod/", import.meta.url);
  const names = [...Deno.readDirSync(root)].filter(({ isFile }) => isFile).map(({ name }) => name);
  const files = names.sort().map((name) => [name, Deno.readTextFileSync(new URL(name, root))]);
  Deno.writeTextFileSync(`${folder}/${ASSET}`, JSON.stringify(Object.fromEntries(files)));
  return ASSET;
}
