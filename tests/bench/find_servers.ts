// SPDX-License-Identifier: MIT
// Finds the server programs on this machine and their versions, and compiles the C one.

import { limit, nbdkit, nbdServer, qemuNbd, sandblock, type Server } from "./servers.ts";

/** Where to look. */
export interface Search {
  /** The sandblock executable, or its main module. */
  executable: string;
  /** Another build of sandblock to compare with. */
  baseline: string | null;
  /** Root of the unpacked packages of a newer Debian, with wrappers of its programs in `run/`. */
  peers: string;
  /** A directory for what is compiled. */
  directory: string;
}

/** The servers there are, and a line about each one that is missing. */
export interface Found {
  servers: Server[];
  missing: string[];
}

/** The output (stdout, then stderr) of a program; null where there is no such program. */
async function outputOf(command: string, args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await new Deno.Command(command, { args }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The version in what a program says of itself: `nbdkit 1.32.5`, `… version 3.24`. */
export function parseVersion(text: string): string | null {
  return text.match(/\b(\d+\.\d+(?:\.\d+)*)/)?.[1] ?? null;
}

async function versionOf(command: string, args = ["--version"]): Promise<string | null> {
  const text = await outputOf(command, args);
  return text === null ? null : parseVersion(text);
}

async function findSandblock(id: string, executable: string, found: Found): Promise<void> {
  const args = executable.endsWith(".ts") ? ["run", "-A", executable] : [];
  const command = executable.endsWith(".ts") ? Deno.execPath() : executable;
  const version = await versionOf(command, [...args, "--version"]);
  if (version === null) found.missing.push(`${id}: cannot run "${executable}"; build it first`);
  else found.servers.push(sandblock(id, executable, version));
}

async function findLimit(directory: string, found: Found): Promise<void> {
  const source = new URL("limit.c", import.meta.url).pathname;
  const executable = `${directory}/limit`;
  const text = await outputOf("cc", ["-O2", "-o", executable, source]);
  if (text === null) {
    found.missing.push('limit: cannot compile tests/bench/limit.c: there is no "cc"');
  } else if (text !== "") {
    throw new Error(`cannot compile tests/bench/limit.c: ${text}`);
  } else {
    found.servers.push(limit(executable));
  }
}

type Make = (id: string, command: string, version: string) => Server;

async function findPeer(id: string, command: string, make: Make, found: Found): Promise<void> {
  const version = await versionOf(command);
  if (version === null) found.missing.push(`${id}: cannot run "${command}": it is not installed`);
  else found.servers.push(make(id, command, version));
}

/** The folder of nbdkit's plugins below the unpacked packages, whatever the architecture. */
function pluginsBelow(peers: string): string {
  for (const entry of Deno.readDirSync(`${peers}/usr/lib`)) {
    const path = `${peers}/usr/lib/${entry.name}/nbdkit/plugins`;
    try {
      if (Deno.statSync(path).isDirectory) return path;
    } catch { /* not there */ }
  }
  throw new Error(`cannot find nbdkit's plugins: there are none below "${peers}/usr/lib"`);
}

/** Looks for all servers; `wanted` tells by id whether one is of interest at all. */
export async function findServers(search: Search, wanted: (id: string) => boolean): Promise<Found> {
  const found: Found = { servers: [], missing: [] };
  const { peers } = search;
  if (wanted("sandblock")) await findSandblock("sandblock", search.executable, found);
  if (search.baseline !== null) await findSandblock("baseline", search.baseline, found);
  if (wanted("limit")) await findLimit(search.directory, found);
  const makes: [string, Make][] = [
    ["nbdkit", (id, command, version) => nbdkit(id, command, version)],
    ["qemu-nbd", qemuNbd],
    ["nbd-server", nbdServer],
  ];
  for (const [name, make] of makes) {
    if (wanted(name)) await findPeer(name, name, make, found);
    if (!wanted(`${name}-new`)) continue;
    const makeNew: Make = name === "nbdkit"
      ? (id, command, version) => nbdkit(id, command, version, pluginsBelow(peers))
      : make;
    await findPeer(`${name}-new`, `${peers}/run/${name}`, makeNew, found);
  }
  return found;
}
