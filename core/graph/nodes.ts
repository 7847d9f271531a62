// SPDX-License-Identifier: MIT
// What a graph of devices consists of, before any of it runs.

import type { DeviceOptions } from "../control/options.ts";
import { PLAIN_NODE } from "../plugin/manifest_node.ts";

/** The plugins and filters of a graph, each before those below it. */
export function pluginNodes(options: DeviceOptions): DeviceOptions[] {
  if (options.kind === "file") return [];
  return [options, ...(options.children ?? []).flatMap(pluginNodes)];
}

/** How many watches the node needs: one for each instance of it. */
export function watchCount(node: DeviceOptions): number {
  if (node.kind === "file") return 0;
  const { threads, node: { instances } = PLAIN_NODE } = node.prepared.manifest;
  return threads === "blocking" ? 1 + instances : 1;
}

/** Whether every node may run several times, each for some of the connections. */
export function isParallel(options: DeviceOptions): boolean {
  if (options.kind === "file") return true;
  const { prepared, children = [] } = options;
  return prepared.manifest.threads === "parallel" && children.every(isParallel);
}

/** Whether exports of the graph may turn out to be zoned when they are opened. */
export function mayBeZoned(options: DeviceOptions): boolean {
  if (options.kind === "file") return false;
  const { prepared, children = [] } = options;
  return prepared.exports.includes("sb_zones") || children.some(mayBeZoned);
}
