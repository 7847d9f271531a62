// SPDX-License-Identifier: MIT
// Kernel modules: whether they are there, and loading them with modprobe(8).

import { userEnvironment } from "../../native/user_environment.ts";
import { readSysfs } from "./sysfs.ts";

/** Where modprobe is when PATH does not say. */
const PROGRAMS = ["modprobe", "/sbin/modprobe", "/usr/sbin/modprobe"];

/** The packages that have a module that is missing, as far as distributions differ. */
const ADVICE: Readonly<Record<string, string>> = {
  bdus: '"sandblock kmod install" builds and installs it',
  nbd: "Debian has it in linux-image-*, Ubuntu in linux-modules-extra-*, Fedora in kernel-modules",
  ublk_drv: "it is part of Linux 6.0 and later; Debian has it in its backports' kernels (6.12), " +
    "Ubuntu in linux-modules-extra-*",
};

/** Whether a module is loaded or built in. */
export function hasModule(name: string): boolean {
  return readSysfs(`module/${name}/uevent`) !== null || folderExists(`/sys/module/${name}`);
}

/** Whether modprobe would find a module of the running kernel. */
export function isLoadable(name: string): boolean {
  const file = `/lib/modules/${readRelease()}/modules.dep`;
  try {
    return new RegExp(`/${name.replace("_", "[-_]")}\\.ko`).test(Deno.readTextFileSync(file));
  } catch {
    return false;
  }
}

/** Where distributions have a module that is missing. */
export function adviceFor(name: string): string {
  return ADVICE[name] ?? "";
}

/** Loads a module unless it is there. Rejects with what to do about it. */
export async function loadModule(name: string): Promise<void> {
  if (hasModule(name)) return;
  const reason = await modprobe(name);
  if (reason === null) return;
  const release = readRelease();
  if (/not permitted|denied/i.test(reason)) {
    throw new Error(`cannot load the kernel module "${name}": only root may`);
  }
  throw new Error(
    `cannot load the kernel module "${name}" for Linux ${release}: ${reason}; ${ADVICE[name] ?? ""}`
      .replace(/; $/, ""),
  );
}

/** The kernel's release, as uname -r prints it. */
export function readRelease(): string {
  return Deno.osRelease();
}

/** Why a module could not be loaded; null when it was. */
async function modprobe(name: string): Promise<string | null> {
  for (const program of PROGRAMS) {
    try {
      const { success, stderr } = await new Deno.Command(program, {
        args: ["--", name],
        clearEnv: true,
        env: userEnvironment(),
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      if (success) return null;
      const words = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
      return words.replace(/^modprobe: (FATAL|ERROR): /, "") || "modprobe has failed";
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return "there is no modprobe to load it with";
}

function folderExists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
