// SPDX-License-Identifier: MIT
// Graphs of bundled plugins and filters for tests: compiled once, written as on the command line, run by
// the real host without a server.

import { FILE_MANIFEST } from "../core/backend/file_manifest.ts";
import { TestClient } from "../core/backend/testing.ts";
import type { Device } from "../core/block/device.ts";
import type { DeviceOptions } from "../core/control/options.ts";
import { buildDevice } from "../core/graph/build.ts";
import { pluginNodes, watchCount } from "../core/graph/nodes.ts";
import { bundledGrants, parseGrants } from "../core/plugin/grants.ts";
import { parseParameters } from "../core/plugin/parameters.ts";
import { preparePlugin } from "../core/plugin/prepare.ts";
import { Watchdog } from "../core/plugin/watch.ts";
import { compilePlugin } from "./build.ts";

const prepared = new Map<string, ReturnType<typeof preparePlugin>>();

/** Compiles plugins, by their folders here, for `node`. */
export async function useNodes(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    if (prepared.has(folder)) continue;
    prepared.set(folder, preparePlugin(await compilePlugin(folder)));
  }
}

/** Has `node` know a module that was built before by `name`. */
export function useModule(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  prepared.set(name, preparePlugin(bytes));
}

/**
 * A node of a graph above others: `node("offset offset=1M", node("memory 4M"))`; `file` works, too. Words
 * that begin with `+` are what it is allowed: `node("rate +read=/tmp rate-file=/tmp/x", ...)`.
 */
export function node(line: string, ...children: DeviceOptions[]): DeviceOptions {
  const [name, ...words] = line.split(" ");
  const args = words.filter((word) => !word.startsWith("+"));
  const allowed = words.filter((word) => word.startsWith("+")).map((word) => word.slice(1));
  if (name === "file") {
    return { kind: "file", values: parseParameters(FILE_MANIFEST.parameters, args) };
  }
  const plugin = prepared.get(name!);
  if (plugin === undefined) throw new Error(`useNodes was not called with "${name}"`);
  const values = parseParameters(plugin.manifest.parameters, args);
  const grants = bundledGrants(plugin.manifest, parseGrants(allowed));
  return { kind: "plugin", prepared: plugin, values, children, grants };
}

/**
 * The running graph. `log` gets the lines that its nodes log, as `level: text`. `asksFirst`: see NodeServices.
 */
export function start(graph: DeviceOptions, log: string[] = [], asksFirst = true): Device {
  const watchdog = new Watchdog();
  const count = pluginNodes(graph).reduce((sum, one) => sum + watchCount(one), 0);
  const watches = Array.from({ length: count }, () => watchdog.watch(10_000));
  watchdog.stop();
  return buildDevice(graph, {
    watches,
    log: (level, text) => void log.push(`${level}: ${text}`),
    instances: 1,
    asksFirst,
  });
}

/** A client of a graph that runs for it alone; `close` ends both. */
export function client(graph: DeviceOptions, log: string[] = [], peer = "test"): TestClient {
  const device = start(graph, log);
  try {
    return open(device, "", peer);
  } catch (error) {
    device.close();
    throw error;
  }
}

/** A client of a running graph. */
export function open(device: Device, name = "", peer = "test", readOnly = false): TestClient {
  return new TestClient(device, device.open(name, { readOnly, peer }));
}

/** `length` bytes that differ from `seed` to `seed` and do not repeat every 256. */
export function fill(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed) & 255);
}

/** A temporary file with `bytes`, as long as `use` runs. */
export function withFile(bytes: Uint8Array, use: (path: string) => void): void {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, bytes);
    use(path);
  } finally {
    Deno.removeSync(path);
  }
}
