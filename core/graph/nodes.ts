// SPDX-License-Identifier: MIT
// What a graph of devices consists of, before any of it runs.

import type { DeviceOptions } from "../control/options.ts";

/** The plugins and filters of a graph, each before those below it. */
export function pluginNodes(options: DeviceOptions): DeviceOptions[] {
  if (options.kind === "file") return [];
  return [options, ...(options.children ?? []).flatMap(pluginNodes)];
}

/** Whether every node may run several times, each for some of the connections. */
export function isParallel(options: DeviceOptions): boolean {
  if (options.kind === "file") return true;
  const { prepared, children = [] } = options;
  return prepared.manifest.threads === "parallel" && children.every(isParallel);
}
