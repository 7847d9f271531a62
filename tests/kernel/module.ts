// SPDX-License-Identifier: MIT
// The module of kmod/ for a kernel of the tests: built with Debian's headers of that kernel, which are
// unpacked in the cache beside it.

import { adaptTools } from "./later_tools.ts";
import { exists, PrivateApt, runOrExplain } from "../support/private_apt.ts";
import {
  type DebianKernel,
  debugBuild,
  kernel,
  kernelFolder,
  type KernelVersion,
  suiteOf,
} from "./kernels.ts";

const SOURCES = new URL("../../kmod/", import.meta.url).pathname;
/** Headers consist of what is common to all flavours, the flavour, and the tools to build with. */
const PARTS = /^linux-(headers|kbuild)-\d/;

/** Kernels of a suite after the one that this is: Debian 12. */
const LATER: readonly KernelVersion[] = ["7.2"];

/** Path of the built module. Builds it where sources or kernel have changed. Throws Error. */
export async function builtModule(version: KernelVersion): Promise<string> {
  const { release } = kernel(version);
  const folder = `${kernelFolder(version)}/module-${release}-${await hashOfSources()}`;
  const file = `${folder}/bdus.ko`;
  if (exists(file)) return file;
  const headers = await kernelHeaders(version);
  const work = await Deno.makeTempDir({ dir: kernelFolder(version), prefix: "building-" });
  for (const { name } of Deno.readDirSync(SOURCES)) {
    await Deno.copyFile(`${SOURCES}${name}`, `${work}/${name}`);
  }
  // There is no type information of the kernel to make more of.
  const make = ["make", "-C", headers, `M=${work}`, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"];
  // What an older compiler says of a later kernel's headers is nobody's mistake.
  const rest = LATER.includes(version)
    ? [`CC=${headerFolder(version, release)}/cc`]
    : ["W=1", "KCFLAGS=-Werror"];
  await runOrExplain([...make, ...rest]);
  await runOrExplain(["strip", "-g", `${work}/bdus.ko`]);
  await Deno.rename(work, folder);
  return file;
}

/** The folder to build modules of a kernel with: Debian's headers, or its own tree. Throws Error. */
export async function kernelHeaders(version: KernelVersion): Promise<string> {
  if (version === "debug") return debugBuild();
  return await fetchHeaders(version, kernel(version).release);
}

async function hashOfSources(): Promise<string> {
  const names = [...Deno.readDirSync(SOURCES)].map(({ name }) => name).sort();
  const text = names.map((name) => Deno.readTextFileSync(`${SOURCES}${name}`)).join("\0");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

/** The folder to build in. Debian's headers expect to be in /usr/src. */
async function fetchHeaders(version: DebianKernel, release: string): Promise<string> {
  const root = headerFolder(version, release);
  const folder = `${root}/usr/src/linux-headers-${release}`;
  if (exists(root)) return folder;
  const work = `${root}.new`;
  const apt = await PrivateApt.open(`${work}/.apt`, suiteOf(version));
  const parts = (await apt.dependencies(`linux-headers-${release}`)).filter((name) =>
    PARTS.test(name)
  );
  await apt.unpack(parts, work);
  await Deno.remove(`${work}/.apt`, { recursive: true });
  const makefile = `${work}/usr/src/linux-headers-${release}/Makefile`;
  const text = await Deno.readTextFile(makefile);
  await Deno.writeTextFile(makefile, text.replaceAll("/usr/src/", `${root}/usr/src/`));
  if (LATER.includes(version)) await adaptTools(work, root);
  await Deno.rename(work, root);
  return folder;
}

function headerFolder(version: KernelVersion, release: string): string {
  return `${kernelFolder(version)}/headers-${release}`;
}
