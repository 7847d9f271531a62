// SPDX-License-Identifier: MIT
// Programs in C that tests run in guests, compiled on the host and kept beside the kernels.

import { exists, runOrExplain } from "../support/private_apt.ts";
import { kernelFolder } from "./kernels.ts";

/** What programs include. */
const INTERFACE = new URL("../../kmod/abi.h", import.meta.url).pathname;

/** Path of the program that `name`.c here makes. Compiles it where it has changed. Throws Error. */
export async function builtProgram(name: string): Promise<string> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  const text = await Deno.readTextFile(source) + await Deno.readTextFile(INTERFACE);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const folder = kernelFolder("6.1").replace(/[^/]*$/, "programs");
  const program = `${folder}/${name}-${new Uint8Array(digest).toHex().slice(0, 12)}`;
  if (exists(program)) return program;
  await Deno.mkdir(folder, { recursive: true });
  const draft = await Deno.makeTempFile({ dir: folder });
  await runOrExplain(["gcc", "-O2", "-Wall", "-Werror", "-pthread", "-o", draft, source]);
  await Deno.chmod(draft, 0o755);
  await Deno.rename(draft, program);
  return program;
}
