// SPDX-License-Identifier: MIT
// Builds the kernel "debug": Debian's source of Linux 6.12 with KASAN, lockdep and fault injection, and
// nothing that guests of the tests do not need (debug.config).
//   deno task kernel:debug      takes some 6 minutes of two processors, and 3 GB below the cache

import { install, installPackages } from "../peers.ts";
import { exists, PrivateApt, runOrExplain } from "../support/private_apt.ts";
import { DEBUG_IMAGE, debugBuild, kernel, kernelFolder, makeBootable, suiteOf } from "./kernels.ts";
import { prepareMachine } from "./machine.ts";

const SOURCE = "linux-source-6.12";
const FRAGMENT = new URL("debug.config", import.meta.url).pathname;
const HEADERS = { "/usr/include/gelf.h": "libelf-dev", "/usr/include/zlib.h": "zlib1g-dev" };
const JOBS = "-j2";

/** Builds what is missing or out of date. Throws Error. */
export async function buildDebugKernel(): Promise<void> {
  await prepareTools();
  const build = debugBuild();
  if (!exists(build)) await fetchSource(build);
  await configure(build);
  console.log(`Building Linux in ${build}`);
  await make(build, [JOBS, "bzImage", "modules"]);
  const root = kernelFolder("debug");
  if (exists(`${root}/lib/modules`)) await Deno.remove(`${root}/lib/modules`, { recursive: true });
  await make(build, [`INSTALL_MOD_PATH=${root}`, "INSTALL_MOD_STRIP=1", "modules_install"]);
  await Deno.copyFile(`${build}/arch/x86/boot/bzImage`, `${root}/${DEBUG_IMAGE}`);
  await makeBootable(root);
  console.log("debug", kernel("debug").release);
}

async function prepareTools(): Promise<void> {
  await prepareMachine();
  await install({ bc: "bc", bison: "bison", flex: "flex", lz4: "lz4" });
  const missing = Object.entries(HEADERS).filter(([file]) => !exists(file));
  const packages = missing.map(([, name]) => name);
  if (missing.length > 0) await installPackages(packages, missing.map(([file]) => file));
}

async function fetchSource(build: string): Promise<void> {
  const work = `${build}.new`;
  if (exists(work)) await Deno.remove(work, { recursive: true });
  const suite = suiteOf("6.12");
  console.log(`Unpacking ${SOURCE} of Debian ${suite} in ${build}`);
  const apt = await PrivateApt.open(`${work}/.apt`, suite);
  await apt.unpack([SOURCE], `${work}/package`);
  await Deno.mkdir(`${work}/tree`);
  const archive = `${work}/package/usr/src/${SOURCE}.tar.xz`;
  await runOrExplain(["tar", "-xf", archive, "-C", `${work}/tree`, "--strip-components=1"]);
  await Deno.rename(`${work}/tree`, build);
  await Deno.remove(work, { recursive: true });
}

/** Takes the fragment over. Throws Error where a line of it has not become true. */
async function configure(build: string): Promise<void> {
  const before = exists(`${build}/.config`) ? await Deno.readTextFile(`${build}/.config`) : null;
  await make(build, [`KCONFIG_ALLCONFIG=${FRAGMENT}`, "allnoconfig"]);
  const after = await Deno.readTextFile(`${build}/.config`);
  const kept = new Set(after.split("\n"));
  const wanted = (await Deno.readTextFile(FRAGMENT)).split("\n")
    .filter((line) => /^(CONFIG_|# CONFIG_.* is not set$)/.test(line));
  const lost = wanted.filter((line) =>
    !kept.has(line) && !(line.startsWith("#") && isAbsent(line))
  );
  if (lost.length > 0) {
    await Deno.remove(`${build}/.config`);
    throw new Error(`cannot configure Linux as debug.config says: it drops ${lost.join(", ")}`);
  }
  if (before !== null && before !== after) console.log("The configuration has changed");

  function isAbsent(line: string): boolean {
    return !kept.has(`${line.split(" ")[1]}=y`);
  }
}

async function make(build: string, words: readonly string[]): Promise<void> {
  const quiet = [
    "KBUILD_BUILD_TIMESTAMP=0",
    "KBUILD_BUILD_USER=sandblock",
    "KBUILD_BUILD_HOST=test",
  ];
  await runOrExplain(["nice", "-n", "15", "make", "-s", "-C", build, ...quiet, ...words]);
}

if (import.meta.main) {
  try {
    await buildDebugKernel();
  } catch (error) {
    console.error(`kernel:debug: error: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
