// SPDX-License-Identifier: MIT
// Programs in C that tests run in guests, compiled on the host and kept beside the kernels.

import { exists, runOrExplain } from "../support/private_apt.ts";
import { kernelFolder } from "./kernels.ts";

/** What programs include. */
const HEADERS = ["abi.h", "abi2.h"].map((name) =>
  new URL(`../../kmod/${name}`, import.meta.url).pathname
);

/** Path of the program that `name`.c here makes. Compiles it where it has changed. Throws Error. */
export async function builtProgram(name: string): Promise<string> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  const texts = await Promise.all([source, ...HEADERS].map((path) => Deno.readTextFile(path)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\0")));
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
