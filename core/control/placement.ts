// SPDX-License-Identifier: MIT
// Which reactor serves what (docs/architecture.md, "Threads").

import { isParallel } from "../graph/nodes.ts";
import type { NamedExports } from "../reactor/messages.ts";
import type { Policy } from "../policy/loaded.ts";
import type { DeviceOptions, ServerOptions } from "./options.ts";

/** Without a wish a parallel device gets a reactor for each processor, up to so many. */
const PARALLEL_THREADS_MAX = 4;
/** Without a wish so many threads share the exports of a configuration. */
const EXPORT_THREADS_MAX = 8;

/** A device on a reactor. */
export interface PlacedDevice {
  device: DeviceOptions;
  instances: number;
  exportName: string | undefined;
  readOnly: boolean;
  policy: Policy | null;
}

/** What each reactor serves, by its number. */
export interface Placement {
  reactors: PlacedDevice[][];
  exports: NamedExports | null;
}

/** See the top of this file. */
export function placeDevices(options: ServerOptions): Placement {
  if ("exports" in options) return placeExports(options);
  const { device, exportName, readOnly, policy = null } = options;
  const count = parallelThreads(device, options.threads);
  const placed = { device, instances: count, exportName, readOnly, policy };
  return { reactors: Array.from({ length: count }, () => [placed]), exports: null };
}

function parallelThreads(device: DeviceOptions, threads: number | "auto"): number {
  if (!isParallel(device)) return 1;
  if (threads !== "auto") return threads;
  return Math.min(PARALLEL_THREADS_MAX, navigator.hardwareConcurrency);
}

/**
 * Each export lives on one thread, with as few others as possible, so that what its plugin does holds
 * up nobody else. Where there are several, another thread accepts and negotiates.
 */
function placeExports(options: Extract<ServerOptions, { exports: unknown }>): Placement {
  const { exports, defaultExport, threads } = options;
  const wished = threads === "auto" ? EXPORT_THREADS_MAX : threads;
  const workers = Math.max(1, Math.min(wished, exports.length));
  const first = workers === 1 ? 0 : 1;
  const reactors: PlacedDevice[][] = Array.from({ length: first + workers }, () => []);
  const list = exports.map(({ name, description, device, readOnly, policy = null }, index) => {
    const place = first + index % workers;
    reactors[place]!.push({ device, instances: 1, exportName: name, readOnly, policy });
    return { name, description, place };
  });
  return { reactors, exports: { list, default: defaultExport } };
}
