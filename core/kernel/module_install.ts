// SPDX-License-Identifier: MIT
// Building and installing the module bdus out of the sources that the executable carries, for the
// running kernel, or with DKMS for those to come as well.

import { userEnvironment } from "../../native/user_environment.ts";
import { hasModule, isLoadable, readRelease } from "./modules.ts";
import { moduleSources } from "./module_sources.ts";
import { readSysfs } from "./sysfs.ts";

const MODULE = "bdus";
const PACKAGE = "sandblock-bdus";
/** Where DKMS looks for sources (dkms(8)). */
const SOURCE_ROOT = "/usr/src";
/** Lines of a failed command that are told. */
const LINES_MAX = 5;

/** What there is of the module. */
export interface ModuleStatus {
  release: string;
  loaded: boolean;
  /** Version of the loaded module; null where none is. */
  version: string | null;
  /** modprobe finds it. */
  installed: boolean;
  /** Version that this executable carries. */
  carried: string;
  /** What building for this kernel needs. */
  headers: boolean;
  dkms: boolean;
}

/** Looks; changes nothing. */
export function moduleStatus(): ModuleStatus {
  const release = readRelease();
  return {
    release,
    loaded: hasModule(MODULE),
    version: readSysfs(`module/${MODULE}/version`),
    installed: isLoadable(MODULE),
    carried: carriedVersion(moduleSources()),
    headers: exists(`/lib/modules/${release}/build/Makefile`),
    dkms: exists("/usr/sbin/dkms"),
  };
}

/** Builds the module in `folder`, which must not exist, for the running kernel. Path of the module. */
export async function buildModule(folder: string): Promise<string> {
  const release = readRelease();
  if (!exists(`/lib/modules/${release}/build/Makefile`)) {
    throw new Error(
      `cannot build the module: the headers of Linux ${release} are not installed; ` +
        `on Debian: apt install linux-headers-${release}`,
    );
  }
  writeSources(folder, moduleSources());
  await run("build the module", ["make", `-j${navigator.hardwareConcurrency}`, "-C", folder]);
  return `${folder}/${MODULE}.ko`;
}

/** Installs the module; how, in words. Rejects with what is missing. */
export async function installModule(): Promise<string> {
  const sources = moduleSources();
  const version = carriedVersion(sources);
  const { dkms, release } = moduleStatus();
  const folder = `${SOURCE_ROOT}/${PACKAGE}-${version}`;
  if (!dkms) {
    const work = Deno.makeTempDirSync({ prefix: "sandblock-kmod-" });
    try {
      await buildModule(`${work}/${MODULE}`);
      await run("install the module", ["make", "-C", `${work}/${MODULE}`, "install"]);
    } finally {
      Deno.removeSync(work, { recursive: true });
    }
    return `installed for Linux ${release}; a new kernel needs this again, unless DKMS is installed`;
  }
  if (exists(folder)) Deno.removeSync(folder, { recursive: true });
  writeSources(folder, sources);
  const name = `${PACKAGE}/${version}`;
  // It says that it knows it when it was added before.
  await run("add the module to DKMS", ["dkms", "add", name]).catch(() => {});
  await run("install the module with DKMS", ["dkms", "install", "--force", name]);
  return `installed with DKMS as ${name}, for this kernel and those to come`;
}

function carriedVersion(sources: Record<string, string>): string {
  return /^PACKAGE_VERSION="(.*)"$/m.exec(sources["dkms.conf"] ?? "")?.[1] ?? "";
}

function writeSources(folder: string, sources: Record<string, string>): void {
  try {
    Deno.mkdirSync(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new Error(`cannot create "${folder}": ${(error as Error).message}`);
    }
    throw new Error(`cannot write the sources to "${folder}": it exists; name a new folder`);
  }
  for (const [name, text] of Object.entries(sources)) {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
  }
}

async function run(what: string, [program, ...args]: string[]): Promise<void> {
  const command = new Deno.Command(program!, {
    args,
    clearEnv: true,
    env: userEnvironment(),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`cannot ${what}: there is no ${program}; install it`);
  }
  if (output.success) return;
  const text = new TextDecoder();
  const said = (text.decode(output.stdout) + text.decode(output.stderr)).trim().split("\n");
  throw new Error(`cannot ${what}: ${program} failed: ${said.slice(-LINES_MAX).join(" | ")}`);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}
