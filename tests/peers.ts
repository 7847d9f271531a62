// SPDX-License-Identifier: MIT
// The other NBD programs that sandblock is tested and measured with: those of the installed Debian,
// and newer ones of another Debian suite, unpacked in a directory of their own.
//   deno run -A tests/peers.ts      installs and unpacks what is missing, and says what there is

import { exists, PrivateApt, runOrExplain } from "./support/private_apt.ts";

/** Programs that the tests call, and the Debian packages that have them. */
const INSTALLED: Record<string, string> = {
  fio: "fio",
  "nbd-server": "nbd-server",
  nbdcopy: "libnbd-bin",
  nbdinfo: "libnbd-bin",
  nbdkit: "nbdkit",
  nbdsh: "python3-libnbd",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  "qemu-nbd": "qemu-utils",
};

/** Programs without which some unit tests cannot run, and their packages. */
const TOOLS: Record<string, string> = {
  clang: "clang",
  fish: "fish",
  gcc: "gcc",
  man: "man-db",
  "wasm-ld": "lld",
  zsh: "zsh",
};

/** libnbd has extended headers since 1.18; trixie has 1.22. */
const SUITE = "trixie";
const UNPACKED = ["libnbd-bin", "nbd-server", "nbdkit", "python3-libnbd", "qemu-utils"];
const LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu";
const LINKER = "usr/lib64/ld-linux-x86-64.so.2";

/**
 * Where the newer programs are or will be: run/NAME starts one. $SANDBLOCK_PEERS, or below the
 * user's cache.
 */
export function newerPeers(): string {
  const { HOME = "/root", XDG_CACHE_HOME = `${HOME}/.cache`, SANDBLOCK_PEERS } = Deno.env
    .toObject();
  return SANDBLOCK_PEERS || `${XDG_CACHE_HOME}/sandblock/peers-${SUITE}`;
}

/** How to start a program of the installed Debian, or the newer one. */
export function peerCommand(program: string, which: "installed" | "newer"): string[] {
  if (which === "newer") return [`${newerPeers()}/run/${program}`];
  // The nbdsh script takes the first python3 in PATH, which may be another than Debian's.
  return program === "nbdsh"
    ? ["/usr/bin/python3", "-m", "nbd"]
    : [findProgram(program) ?? program];
}

/**
 * Installs the Debian packages whose programs are missing, which takes root. Throws Error that
 * names them where it may not or cannot.
 */
export async function installPeers(): Promise<void> {
  await install(INSTALLED);
}

/** The same for what unit tests use. Where it may not or cannot, they are ignored: says so. */
export async function installTools(): Promise<void> {
  try {
    await install(TOOLS);
  } catch (error) {
    console.warn(`${(error as Error).message}\nTests that need them are ignored.`);
  }
}

/** Installs the packages of `programs` that are missing; see `installPeers`. */
export async function install(programs: Record<string, string>): Promise<void> {
  const missing = Object.keys(programs).filter((program) => findProgram(program) === null);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => programs[program]!))];
  await installPackages(packages, missing);
  const still = missing.filter((program) => findProgram(program) === null);
  if (still.length === 0) return;
  throw new Error(`cannot find ${still.join(", ")} after installing ${packages.join(" ")}`);
}

/** Installs Debian packages, because `missing` is missing; see `installPeers`. */
export async function installPackages(
  packages: readonly string[],
  missing: readonly string[],
): Promise<void> {
  const command = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (Deno.uid() !== 0) {
    throw new Error(`cannot find ${missing.join(", ")}: they are not installed; run ${command}`);
  }
  console.log(`Installing ${packages.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await runOrExplain(["apt-get", "-q", "update"], env);
  await runOrExplain(
    ["apt-get", "-q", "-y", "install", "--no-install-recommends", ...packages],
    env,
  );
}

/** Downloads and unpacks the newer programs, unless they are there. Touches nothing else. */
export async function unpackNewerPeers(): Promise<void> {
  const target = newerPeers();
  if (exists(`${target}/run/nbdinfo`)) return;
  console.log(`Unpacking ${UNPACKED.join(" ")} of Debian ${SUITE} in ${target}`);
  const dir = target.replace(/\/[^/]*$/, "");
  await Deno.mkdir(dir, { recursive: true });
  const work = await Deno.makeTempDir({ dir, prefix: "unpacking-" });
  try {
    const apt = await PrivateApt.open(`${work}/.apt`, SUITE);
    await apt.unpackWithDependencies(UNPACKED, work);
    await Deno.remove(`${work}/.apt`, { recursive: true });
    await writeWrappers(work, target);
    await Deno.chmod(work, 0o755);
    await Deno.rename(work, target);
  } catch (error) {
    await Deno.remove(work, { recursive: true });
    throw error;
  }
}

/** One script for each program, which starts it with the dynamic linker and libraries beside it. */
async function writeWrappers(root: string, target: string): Promise<void> {
  await Deno.mkdir(`${root}/run`);
  const start = `"${target}/${LINKER}" --library-path "${target}/${LIBRARY_FOLDER}"`;
  for (const folder of ["usr/bin", "usr/sbin"]) {
    for (const { name, isFile } of Deno.readDirSync(`${root}/${folder}`)) {
      if (!isFile || !isElf(`${root}/${folder}/${name}`)) continue;
      await writeScript(`${root}/run/${name}`, `exec ${start} "${target}/${folder}/${name}" "$@"`);
    }
  }
  // nbdsh is a script for the newer Python, which has to find its own modules.
  const python = `PYTHONHOME="${target}/usr" PYTHONNOUSERSITE=1 exec "${target}/run/python3"`;
  await writeScript(`${root}/run/nbdsh`, `${python} -m nbd "$@"`);
  const link = (await Deno.readLink(`${root}/usr/bin/python3`)).replace(/.*\//, "");
  await Deno.symlink(link, `${root}/run/python3`);
}

async function writeScript(path: string, line: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

function isElf(path: string): boolean {
  using file = Deno.openSync(path);
  const magic = new Uint8Array(4);
  file.readSync(magic);
  return new TextDecoder().decode(magic) === "\x7fELF";
}

/** The path of an installed program; null where there is none. /usr/sbin counts as well. */
function findProgram(name: string): string | null {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => `${folder}/${name}`).find(exists) ?? null;
}

if (import.meta.main) {
  await installPeers();
  await unpackNewerPeers();
  for (const program of Object.keys(INSTALLED)) {
    const newer = `${newerPeers()}/run/${program}`;
    console.log(program.padEnd(12), findProgram(program), exists(newer) ? newer : "");
  }
}
