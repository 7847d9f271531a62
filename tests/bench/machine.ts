// SPDX-License-Identifier: MIT
// What machine a result was taken on.

import { parseVersion } from "./find_servers.ts";
import type { Machine } from "./result.ts";

function field(path: string, pattern: RegExp): string {
  try {
    return Deno.readTextFileSync(path).match(pattern)?.[1]?.trim() ?? "unknown";
  } catch {
    return "unknown";
  }
}

async function output(command: string, args: string[]): Promise<string> {
  try {
    return new TextDecoder().decode((await new Deno.Command(command, { args }).output()).stdout);
  } catch {
    return "";
  }
}

/** The one-minute load average. */
export function load(): number {
  return Deno.loadavg()[0] ?? NaN;
}

/** Free memory in bytes, caches counted as free. */
export function availableBytes(): number {
  return Deno.systemMemoryInfo().available;
}

/** Describes this machine; `directory` is where the file of the file rows lies. */
export async function describeMachine(directory: string): Promise<Machine> {
  const before = load();
  return {
    cpu: field("/proc/cpuinfo", /^model name\s*:(.*)$/m),
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    kernel: parseVersion(Deno.osRelease()) ?? "unknown",
    system: field("/etc/os-release", /^PRETTY_NAME="?([^"\n]*)/m),
    fileSystem: (await output("stat", ["-f", "-c", "%T", directory])).trim() || "unknown",
    fio: parseVersion(await output("fio", ["--version"])) ?? "none",
    loadBefore: before,
    loadAfter: before,
  };
}
