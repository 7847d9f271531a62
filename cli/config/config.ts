// SPDX-License-Identifier: MIT
// What a configuration file says, as data. No other file is touched to find out.

import { STRING_MAX } from "../../core/nbd/wire.ts";
import { listenFaults, listenValues } from "./listen.ts";
import { type Fault, readShape, type Value } from "./read.ts";
import { CONFIG, SHAPES } from "./table.ts";
import type { ServeValues } from "../serve/options.ts";

/** A text and where it stands. */
export interface Located {
  line: number;
  column: number;
  text: string;
}

/** A plugin or filter of an export. */
export interface ConfigNode {
  plugin: Located;
  /** In the order of the file; one for each value of a list. `at` is where the key stands. */
  parameters: { name: string; value: Located; at: Value }[];
  memory?: Located;
  timeout?: Located;
  restart?: Located;
  allow: Located[];
  children: ConfigNode[];
}

/** An export. */
export interface ConfigExport {
  name: string;
  at: Value;
  description?: string;
  readOnly: boolean;
  policy?: Located;
  node: ConfigNode;
}

/** See the top of this file. */
export interface Config {
  exports: ConfigExport[];
  defaultExport: string | null;
  /** What the file says in place of options. */
  values: ServeValues;
}

/** The keys of `limits` and the options that they stand for. */
const LIMIT_OPTIONS = {
  "max-connections": "maxConnections",
  "handshake-timeout": "handshakeTimeout",
  "max-options": "maxOptions",
  "inflight-bytes": "inflightBytes",
  "inflight-requests": "inflightRequests",
  "plugin-memory": "pluginMemory",
  "plugin-timeout": "pluginTimeout",
  "drain-timeout": "drainTimeout",
} as const satisfies Record<string, keyof ServeValues>;

/** Reads `source`; sockets in it are relative to `directory`. Either a configuration or faults. */
export function readConfig(
  source: string,
  directory: string,
): { config: Config; faults: [] } | { config: null; faults: Fault[] } {
  const { value, faults } = readShape(source, CONFIG, SHAPES);
  if (value === null) return { config: null, faults };
  const root = value.map!;
  const exports = [...root.get("exports")!.map!].map(([name, one]) => exportOf(name, one));
  const listen = listOf(root.get("listen"));
  const wrong = [...exports.flatMap(nameFaults), ...defaultFaults(root), ...listenFaults(listen)];
  if (wrong.length > 0) return { config: null, faults: wrong };
  const config: Config = {
    exports,
    defaultExport: defaultOf(root),
    values: { ...listenValues(listen, directory), ...serverValues(root) },
  };
  return { config, faults: [] };
}

function exportOf(name: string, at: Value): ConfigExport {
  const fields = at.map!;
  const description = fields.get("description")?.text;
  const policy = fields.get("policy");
  return {
    name,
    at,
    ...description !== undefined && { description },
    readOnly: isSet(fields.get("read-only")),
    ...policy && { policy: located(policy) },
    node: nodeOf(at),
  };
}

/** A device with the filters above it: the first is the topmost. */
function nodeOf(value: Value): ConfigNode {
  const fields = value.map!;
  let node = layerOf(value, listOf(fields.get("below")).map(nodeOf));
  for (const filter of listOf(fields.get("filters")).toReversed()) node = layerOf(filter, [node]);
  return node;
}

function layerOf({ map }: Value, children: ConfigNode[]): ConfigNode {
  const fields = map!;
  const optional = (key: "memory" | "timeout" | "restart") => {
    const field = fields.get(key);
    return field && { [key]: located(field) };
  };
  const parameters = [...fields.get("parameters")?.map ?? []];
  return {
    plugin: located(fields.get("plugin")!),
    parameters: parameters.flatMap(([name, at]) =>
      listOf(at).map((value) => ({ name, value: located(value), at }))
    ),
    ...optional("memory"),
    ...optional("timeout"),
    ...optional("restart"),
    allow: listOf(fields.get("allow")).map(located),
    children,
  };
}

function nameFaults({ name, at }: ConfigExport): Fault[] {
  const { line, column } = at;
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > STRING_MAX) {
    return [{ line, column, message: `the name has ${bytes} bytes; it may have ${STRING_MAX}` }];
  }
  return name.includes("\0") ? [{ line, column, message: "the name contains NUL" }] : [];
}

function defaultFaults(root: Map<string, Value>): Fault[] {
  const chosen = [...root.get("exports")!.map!].filter(([, { map }]) => isSet(map!.get("default")));
  return chosen.slice(1).map(([name, { map }]) => {
    const { line, column } = map!.get("default")!;
    const message = `"${name}" cannot be the default: "${chosen[0]![0]}" is`;
    return { line, column, message };
  });
}

/** The one that says so, or that has no name, or that is the only one. */
function defaultOf(root: Map<string, Value>): string | null {
  const exports = [...root.get("exports")!.map!];
  const [chosen] = exports.filter(([, { map }]) => isSet(map!.get("default")));
  const [unnamed] = exports.filter(([name]) => name === "");
  const [only] = exports.length === 1 ? exports : [];
  return (chosen ?? unnamed ?? only)?.[0] ?? null;
}

function serverValues(root: Map<string, Value>): ServeValues {
  const threads = root.get("threads")?.text;
  const busyPoll = root.get("busy-poll")?.text;
  const limits = [...root.get("limits")?.map ?? []].map(([key, { text }]) => {
    return [LIMIT_OPTIONS[key as keyof typeof LIMIT_OPTIONS], text];
  });
  return {
    ...threads !== undefined && { threads },
    ...busyPoll !== undefined && { busyPoll },
    ...Object.fromEntries(limits),
  };
}

/** One value or a list of them, as a list. */
export function listOf(value: Value | undefined): Value[] {
  return value === undefined ? [] : value.list ?? [value];
}

function located({ line, column, text }: Value): Located {
  return { line, column, text: text! };
}

function isSet(flag: Value | undefined): boolean {
  return flag?.text === "true";
}
