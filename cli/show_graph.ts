// SPDX-License-Identifier: MIT
// Starts what would be served, looks at its nodes and ends it again. Plugins run on a reactor as they do
// in a server, so that a call which takes too long is ended.

import type { DeviceOffer, ExportsOffer, Server } from "../core/control/options.ts";
import { startServer } from "../core/control/serve.ts";
import { graphLines, type GraphView } from "../core/graph/describe.ts";
import { didYouMean } from "../core/plugin/suggest.ts";
import type { ServeValues } from "./serve/options.ts";
import { type Subject, subjectOf } from "./serve/subject.ts";
import { type Log, stderrLog } from "./log.ts";

/** How a graph is shown. */
export interface ShowOptions {
  readOnly: boolean;
  json: boolean;
}

const NOBODY = { listenFds: [], connectedFds: [] };

/** The graph of a device that is described as for `serve`. Throws Error with one sentence. */
export async function showGraph(
  operands: readonly string[],
  values: ServeValues,
  { readOnly, json }: ShowOptions,
): Promise<string> {
  const subject = await subjectOf({ ...values, readonly: readOnly }, operands, NOBODY);
  return await withServer(subject, async (server) => {
    const view = await server.graph("");
    return json ? jsonText(view) : treeText(view, "");
  });
}

/** The graphs of the exports `names` of a configuration, of all where none is named. */
export async function showConfig(
  path: string,
  names: readonly string[],
  values: ServeValues,
  { readOnly, json }: ShowOptions,
): Promise<string> {
  const subject = await subjectOf({ ...values, config: path, readonly: readOnly }, [], NOBODY);
  return await withServer(subject, async (server, offer) => {
    const known = "exports" in offer ? offer.exports.map(({ name }) => name) : [];
    for (const name of names) {
      if (known.includes(name)) continue;
      const right = didYouMean(name, known) || `; the exports are ${known.join(", ")}`;
      throw new Error(`cannot show the export "${name}": "${path}" has none of this name${right}`);
    }
    const views: [string, GraphView][] = [];
    for (const name of names.length > 0 ? names : known) {
      views.push([name, await server.graph(name)]);
    }
    if (json) return jsonText(Object.fromEntries(views));
    return views.map(([name, view]) => `"${name}"\n${treeText(view, "  ")}`).join("\n");
  });
}

async function withServer<T>(
  subject: Subject,
  use: (server: Server, offer: DeviceOffer | ExportsOffer) => Promise<T>,
): Promise<T> {
  const { limits, busyPollUs } = subject.plan;
  const shown = stderrLog(false);
  const log: Log = (level, text) => {
    if (level === "error" || level === "warning") shown(level, text);
  };
  const offer = subject.offer(log);
  const settings = {
    listen: [],
    connections: [],
    threads: 1,
    busyPollUs,
    exitWithLastClient: false,
    verbose: false,
    limits,
  };
  const server = await startServer({ ...settings, ...offer }, log);
  try {
    return await use(server, offer);
  } finally {
    await server.stop();
  }
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

function treeText(view: GraphView, indent: string): string {
  return graphLines(view).map((line) => `${indent}${line.trimEnd()}\n`).join("");
}
