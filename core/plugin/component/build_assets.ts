// SPDX-License-Identifier: MIT
// Fetches jco with npm, checks that it is the one that was pinned, and stores what the program needs
// of it as assets (core/assets.ts). The package's own dependencies, which are larger, are not needed.

import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";

const PACKAGE = "@bytecodealliance/jco@1.12.0";
const TARBALL = "bytecodealliance-jco-1.12.0.tgz";
/** SHA-512 of the tarball, as the registry has it. */
const INTEGRITY =
  "Xjl26a9e6wqKXS6VPuksyfg0k2ZWmVfYVOInn9fhtqi4DpmRebEZl13dkzBS5hVQfO1c3Qr7h2ZKDneHUUhalg==";
/** What is taken out of it. */
const FILES = [
  "js-component-bindgen-component.js",
  "js-component-bindgen-component.core.wasm",
  "js-component-bindgen-component.core2.wasm",
];
/** zstd's level: half a second longer than the default for a quarter less. */
const LEVEL = 12;

/** Writes the assets into `directory`, unless they are there. Returns their names. */
export function buildComponentAssets(directory: string): string[] {
  const names = FILES.map((name) => `${name}.zst`);
  Deno.mkdirSync(directory, { recursive: true });
  const stamp = `${directory}/jco.stamp`;
  const wanted = `${PACKAGE} ${INTEGRITY} ${LEVEL}`;
  if (readText(stamp) === wanted) return names;
  const unpacked = unpackJco(directory);
  for (const name of FILES) {
    const bytes = zstdCompressSync(Deno.readFileSync(`${unpacked}/${name}`), {
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    });
    Deno.writeFileSync(`${directory}/${name}.zst`, bytes);
  }
  Deno.writeTextFileSync(stamp, wanted);
  return names;
}

/** Fetches the package into `directory`/jco unless it is there; the path of its folder `obj`. */
export function unpackJco(directory: string): string {
  const folder = `${directory}/../jco`;
  Deno.mkdirSync(folder, { recursive: true });
  const tarball = `${folder}/${TARBALL}`;
  if (integrity(tarball) !== INTEGRITY) {
    run("npm", ["pack", "--silent", "--pack-destination", folder, PACKAGE], directory);
    const found = integrity(tarball);
    if (found !== INTEGRITY) {
      throw new Error(`cannot use ${PACKAGE}: its SHA-512 is ${found}; it must be ${INTEGRITY}`);
    }
  }
  run("tar", ["-xzf", tarball, "-C", folder, "package/obj"], directory);
  return `${folder}/package/obj`;
}

function integrity(path: string): string {
  try {
    return createHash("sha512").update(Deno.readFileSync(path)).digest("base64");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function run(program: string, args: string[], cwd: string): void {
  let result: Deno.CommandOutput;
  try {
    result = new Deno.Command(program, { args, cwd }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`cannot fetch ${PACKAGE}: there is no ${program} on this machine`);
  }
  if (result.success) return;
  const text = new TextDecoder().decode(result.stderr).trim();
  throw new Error(`cannot fetch ${PACKAGE}: ${program} ${args[0]} failed: ${text}`);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
