// SPDX-License-Identifier: MIT
// Keeps modules of a minor version of the ABI when it is released, so that every later host is tested with
// what was built for it: deno run -A wasm-plugins/abi/freeze.ts, after a build. Once per minor; what is
// there already is never replaced.

import { ABI_MAJOR, ABI_MINOR } from "../../core/plugin/abi.ts";
import { readManifest } from "../../core/plugin/manifest.ts";

const BUILT = new URL("../../dist/plugins/", import.meta.url);
const FROZEN = new URL(`frozen/${ABI_MAJOR}.${ABI_MINOR}/`, import.meta.url);

function freeze(): string[] {
  Deno.mkdirSync(FROZEN);
  const kept: string[] = [];
  for (const { name } of Deno.readDirSync(BUILT)) {
    if (!name.endsWith(".wasm")) continue;
    const bytes = Deno.readFileSync(new URL(name, BUILT));
    const { abi } = readManifest(bytes);
    if (abi !== `${ABI_MAJOR}.${ABI_MINOR}`) continue;
    Deno.writeFileSync(new URL(name, FROZEN), bytes, { createNew: true });
    kept.push(name);
  }
  return kept.sort();
}

if (import.meta.main) {
  try {
    console.log(`${FROZEN.pathname}: ${freeze().join(" ")}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    console.error(`error: cannot freeze ABI ${ABI_MAJOR}.${ABI_MINOR}: that was done already`);
    Deno.exit(1);
  }
}
