// SPDX-License-Identifier: MIT
// The kernels that guests boot: Debian's, downloaded and unpacked below the user's cache, and made
// ready for a quick start.
//   deno run -A tests/kernel/kernels.ts [VERSION...]      fetches what is missing

import { exists, PrivateApt, runOrExplain } from "../support/private_apt.ts";
import { buildInitramfs } from "./initramfs.ts";
import { uncompressKernel } from "./vmlinux.ts";

/** Versions, and the Debian suites that have them. */
const SUITES = {
  "6.1": "bookworm",
  "6.12": "bookworm-backports",
  "7.2": "trixie-backports",
} as const;

/** A kernel of Debian. */
export type DebianKernel = keyof typeof SUITES;

/** A kernel as tests name it; "debug" is 6.12 with checks, which debug_kernel.ts builds. */
export type KernelVersion = DebianKernel | "debug";

/** Those that are tested unless others are asked for, oldest first. */
export const DEBIAN_KERNELS = Object.keys(SUITES) as DebianKernel[];

/** All of them. */
export const KERNEL_VERSIONS: readonly KernelVersion[] = [...DEBIAN_KERNELS, "debug"];

/** A kernel that can be booted. */
export interface Kernel {
  version: KernelVersion;
  /** As uname -r prints it. */
  release: string;
  /** ELF image with a PVH entry; a bzImage where KASAN forbids that entry. */
  image: string;
  initramfs: string;
  /** Folder of `release` with its modules. */
  modules: string;
}

/** Name of the debug kernel's image below its folder. */
export const DEBUG_IMAGE = "bzImage";
const INITRAMFS = "initramfs.cpio";

/** Packages that make up a kernel; later Debian suites divide it. */
const PARTS = /^linux-(image|base|binary|modules)-\d.*-amd64$/;

/** Where kernels are or will be: $SANDBLOCK_KERNELS, or below the user's cache. */
export function kernelFolder(version: KernelVersion): string {
  const { HOME = "/root", XDG_CACHE_HOME = `${HOME}/.cache`, SANDBLOCK_KERNELS } = Deno.env
    .toObject();
  return `${SANDBLOCK_KERNELS || `${XDG_CACHE_HOME}/sandblock/kernels`}/${version}`;
}

/** The Debian suite that has a kernel. */
export function suiteOf(version: DebianKernel): string {
  return SUITES[version];
}

/** The tree in which the debug kernel is built. */
export function debugBuild(): string {
  return `${kernelFolder("debug")}/build`;
}

/** Whether `text` names a kernel. */
export function isKernelVersion(text: string): text is KernelVersion {
  return KERNEL_VERSIONS.some((version) => version === text);
}

/** A kernel that is there. Throws Error where it is not. */
export function kernel(version: KernelVersion): Kernel {
  const root = kernelFolder(version);
  const image = `${root}/${version === "debug" ? DEBUG_IMAGE : "vmlinux"}`;
  if (!exists(image) || !exists(`${root}/${INITRAMFS}`)) {
    const remedy = version === "debug"
      ? "deno task kernel:debug"
      : `deno run -A tests/kernel/kernels.ts ${version}`;
    throw new Error(`cannot boot Linux ${version}: ${root} does not have it; run ${remedy}`);
  }
  const release = releaseIn(root);
  const modules = `${root}/lib/modules/${release}`;
  return { version, release, image, initramfs: `${root}/${INITRAMFS}`, modules };
}

/** Downloads a kernel unless it is there; the debug kernel must be. Throws Error. */
export async function fetchKernel(version: KernelVersion): Promise<void> {
  if (version === "debug") {
    kernel(version);
    return;
  }
  const target = kernelFolder(version);
  if (exists(`${target}/vmlinux`)) return;
  const parent = target.replace(/\/[^/]*$/, "");
  await Deno.mkdir(parent, { recursive: true });
  const work = await Deno.makeTempDir({ dir: parent, prefix: "unpacking-" });
  try {
    const suite = SUITES[version];
    const apt = await PrivateApt.open(`${work}/.apt`, suite);
    const parts = (await apt.dependencies("linux-image-amd64")).filter((name) => PARTS.test(name));
    console.log(`Unpacking ${parts.join(" ")} of Debian ${suite} in ${target}`);
    await apt.unpack(parts, work);
    await Deno.remove(`${work}/.apt`, { recursive: true });
    await prepare(work);
    await Deno.rename(work, target);
  } catch (error) {
    await Deno.remove(work, { recursive: true });
    throw error;
  }
}

async function prepare(root: string): Promise<void> {
  if (!exists(`${root}/lib`)) await Deno.symlink("usr/lib", `${root}/lib`);
  const release = releaseIn(root);
  const modules = `${root}/lib/modules/${release}`;
  const compressed = [`${root}/boot/vmlinuz-${release}`, `${modules}/vmlinuz`].find(exists);
  if (!compressed) throw new Error(`cannot prepare Linux ${release}: there is no vmlinuz`);
  await makeBootable(root);
  await Deno.writeFile(`${root}/vmlinux`, await uncompressKernel(compressed));
}

/** Indexes the modules below `root`, and makes the first file system of guests of them. */
export async function makeBootable(root: string): Promise<void> {
  const release = releaseIn(root);
  await runOrExplain(["depmod", "-b", root, release]);
  const initramfs = await buildInitramfs(`${root}/lib/modules/${release}`);
  await Deno.writeFile(`${root}/${INITRAMFS}`, initramfs);
}

function releaseIn(root: string): string {
  const [release] = [...Deno.readDirSync(`${root}/lib/modules`)].map(({ name }) => name);
  return release!;
}

if (import.meta.main) {
  const { prepareMachine } = await import("./machine.ts");
  await prepareMachine();
  const named = Deno.args.length > 0 ? Deno.args : DEBIAN_KERNELS;
  for (const version of named) {
    if (!isKernelVersion(version)) throw new Error(`cannot fetch Linux "${version}"`);
    await fetchKernel(version);
    console.log(version.padEnd(5), kernel(version).release);
  }
}
