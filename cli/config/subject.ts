// SPDX-License-Identifier: MIT
// A configuration file as what `serve --config` serves.

import type { Server } from "../../core/control/options.ts";
import type { Log } from "../log.ts";
import type { ServeValues } from "../serve/options.ts";
import { planService, type Surroundings } from "../serve/plan.ts";
import type { Subject } from "../serve/subject.ts";
import type { Config, ConfigNode } from "./config.ts";
import { loadConfig, parseConfig, policiesOf } from "./load.ts";

/** Options that say where to listen, in place of the file. */
const LISTENING = ["unix", "port", "ipaddr", "listen", "single", "fd"] as const;

/** The subject that the file at `path` describes. Throws Error with one sentence. */
export function configSubject(
  path: string,
  values: ServeValues,
  surroundings: Surroundings,
): Subject {
  const { config, directory } = parseConfig(path);
  const { unix: _unix, listen: _listen, ...withoutPlaces } = config.values;
  const { listenFds, connectedFds } = surroundings;
  const elsewhere = LISTENING.some((key) => values[key] !== undefined) ||
    listenFds.length + connectedFds.length > 0;
  const merged = { ...elsewhere ? withoutPlaces : config.values, ...values };
  const all: Config = { ...config, values: merged };
  return {
    name: path,
    exportName: config.defaultExport ?? "",
    plan: planService(merged, surroundings),
    offer(log) {
      const { offer, warnings } = loadConfig(path, all, directory);
      for (const warning of warnings) log("warning", warning);
      if (!values.readonly) return offer;
      return { ...offer, exports: offer.exports.map((one) => ({ ...one, readOnly: true })) };
    },
    reload: (server, log) => reload(path, config, server, log),
  };
}

/** Reads the file again. Policies are used from now on; a file with faults changes nothing. */
function reload(path: string, started: Config, server: Server, log: Log): void {
  try {
    const { config, directory } = parseConfig(path);
    const { policies, warnings } = policiesOf(path, config, directory);
    for (const warning of warnings) log("warning", warning);
    const served = started.exports.filter(({ name }) => policies.has(name));
    for (const { name } of served) server.usePolicy(policies.get(name)!, name);
    log("info", `the policies of configuration "${path}" were read again`);
    if (essence(config) === essence(started)) return;
    log("warning", `other changes in "${path}" take effect when the server is started again`);
  } catch (error) {
    log("error", `the policies stay as they were: ${(error as Error).message}`);
  }
}

/** All of a configuration that is not about policies. */
function essence({ exports, defaultExport, values }: Config): string {
  const node = (
    { plugin, parameters, memory, timeout, restart, allow, children }: ConfigNode,
  ): unknown => [
    plugin.text,
    parameters.map(({ name, value }) => [name, value.text]),
    [memory, timeout, restart, ...allow].map((one) => one?.text ?? null),
    children.map(node),
  ];
  return JSON.stringify([
    defaultExport,
    values,
    exports.map((one) => [one.name, one.description ?? null, one.readOnly, node(one.node)]),
  ]);
}
