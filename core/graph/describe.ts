// SPDX-License-Identifier: MIT
// A graph of open devices as text: each node with what it can do, and which node limits what.

import type { OpenExport } from "../block/device.ts";
import { type Capabilities, type ExportInfo, Support } from "../block/export.ts";
import { toBigInt } from "../block/uint64.ts";
import type { ZoneInfo } from "../block/zones.ts";
import type { DeviceOptions } from "../control/options.ts";
import { grantTexts, NO_GRANTS } from "../plugin/grants.ts";
import type { ThreadModel } from "../plugin/manifest.ts";
import { isParallel } from "./nodes.ts";

/** A node with what is known of it. */
export interface GraphView {
  name: string;
  version: string;
  kind: "backend" | "plugin" | "filter";
  threads: ThreadModel;
  /** Size in bytes; decimal, since it may be beyond what a number holds. */
  size: string;
  readOnly: boolean;
  blockSize: ExportInfo["blockSize"];
  /** What clients are told instead, without being held to it. */
  advertised?: ExportInfo["blockSize"];
  /** Buffers that it gets begin at multiples of this. */
  alignment: number;
  can: Record<keyof Capabilities, "none" | "emulate" | "native">;
  /** Absent where it has none. */
  zones?: ZoneInfo;
  /** What it was allowed beyond its own memory, as --allow has it. */
  allowed: string[];
  /** What all nodes below can do, or one beside it on the same node, and this one cannot. */
  limits: string[];
  children: GraphView[];
}

const SUPPORT = ["none", "emulate", "native"] as const;
const CAPABILITIES: readonly (keyof Capabilities)[] = [
  "write",
  "flush",
  "fua",
  "trim",
  "zero",
  "fastZero",
  "cache",
  "extents",
  "multiConn",
  "secureErase",
  "ioctl",
];

/** The view of the graph that was made of `options` and in which `opened` is open. */
export function viewGraph(options: DeviceOptions, opened: OpenExport): GraphView {
  const { info } = opened;
  const below = opened.children ?? [];
  const can = Object.fromEntries(CAPABILITIES.map((name) => [name, SUPPORT[info.can[name]]]));
  const nodes = options.kind === "file" ? [] : options.children ?? [];
  return {
    ...identity(options),
    size: `${toBigInt(info.sizeHigh, info.sizeLow)}`,
    readOnly: info.readOnly,
    blockSize: info.blockSize,
    ...info.advertised !== undefined && { advertised: info.advertised },
    alignment: options.kind === "file" ? 1 : options.prepared.manifest.node?.alignment ?? 1,
    can: can as GraphView["can"],
    ...info.zones !== undefined && { zones: info.zones },
    allowed: options.kind === "file" ? [] : grantTexts(options.grants ?? NO_GRANTS),
    limits: [
      ...limitsOf(info, below.map((child) => child.info)),
      ...nodes.length > 0 && !isParallel(options) && nodes.every(isParallel) ? [ONE_THREAD] : [],
    ],
    children: nodes.map((child, index) => {
      const view = viewGraph(child, below[index]!);
      const limits = new Set([...view.limits, ...limitsBeside(nodes, below, index)]);
      return { ...view, limits: [...limits] };
    }),
  };
}

const ONE_THREAD = "one thread";

/** What node `index` takes away of that which others on the same node can do. */
function limitsBeside(
  nodes: readonly DeviceOptions[],
  opened: readonly OpenExport[],
  index: number,
): string[] {
  if (nodes.length < 2) return [];
  const others = opened.filter((_, other) => other !== index).map(({ info }) => info);
  const lost = lacks(opened[index]!.info, (test) => others.some(test));
  const parallel = nodes.map(isParallel);
  if (!parallel[index] && parallel.includes(true)) lost.push(ONE_THREAD);
  return lost;
}

/** What a node takes away of that which all nodes below it can do. */
function limitsOf(info: ExportInfo, below: readonly ExportInfo[]): string[] {
  return below.length === 0 ? [] : lacks(info, (test) => below.every(test));
}

/** What `info` cannot do and others can; `others` says whether that which is tested holds for enough of them. */
function lacks(
  info: ExportInfo,
  others: (test: (other: ExportInfo) => boolean) => boolean,
): string[] {
  const lost = CAPABILITIES.filter((name) => {
    return info.can[name] === Support.None && others(({ can }) => can[name] !== Support.None);
  }).map((name) => `no ${word(name)}`);
  const { minimum, maximum } = info.blockSize;
  if (others(({ blockSize }) => blockSize.maximum > maximum)) {
    lost.push(`blocks of at most ${maximum}`);
  }
  if (others(({ blockSize }) => blockSize.minimum < minimum)) {
    lost.push(`blocks of at least ${minimum}`);
  }
  return lost;
}

/** The tree as lines, with what each node limits. */
export function graphLines(view: GraphView): string[] {
  const { name, version, kind, threads, children } = view;
  const lines = [`${name} ${version} (${kind}, ${threads})`, ...factLines(view)];
  children.forEach((child, index) => {
    const last = index === children.length - 1;
    const [first, ...rest] = graphLines(child);
    lines.push(`${last ? "└─" : "├─"} ${first}`);
    for (const line of rest) lines.push(`${last ? "  " : "│ "} ${line}`);
  });
  return lines;
}

function factLines(view: GraphView): string[] {
  const { size, readOnly, blockSize, alignment, can, allowed, limits, children } = view;
  const bar = children.length > 0 ? "│  " : "   ";
  const { minimum, preferred, maximum } = blockSize;
  const able = CAPABILITIES.filter((name) => can[name] !== "none").map((name) => {
    return can[name] === "emulate" ? `${word(name)} (emulated)` : word(name);
  });
  const lines = [
    `size ${size}${readOnly ? ", read-only" : ""}`,
    `blocks ${minimum} to ${maximum}, preferably ${preferred}`,
    ...adviceLines(view),
    ...zoneLines(view),
    `can ${able.length > 0 ? able.join(", ") : "read only"}`,
  ];
  if (alignment > 1) lines.push(`buffers at multiples of ${alignment}`);
  if (allowed.length > 0) lines.push(`allowed ${allowed.join(", ")}`);
  if (limits.length > 0) lines.push(`limits: ${limits.join("; ")}`);
  return lines.map((line) => `${bar}${line}`);
}

function adviceLines({ advertised }: GraphView): string[] {
  if (advertised === undefined) return [];
  const { minimum, preferred, maximum } = advertised;
  return [`advises blocks ${minimum} to ${maximum}, preferably ${preferred}`];
}

function zoneLines({ zones }: GraphView): string[] {
  if (zones === undefined) return [];
  const { size, capacity, maxOpen, maxActive } = zones;
  const limits = [
    ...capacity < size ? [`with room for ${capacity}`] : [],
    ...maxOpen > 0 ? [`at most ${maxOpen} open`] : [],
    ...maxActive > 0 ? [`at most ${maxActive} active`] : [],
  ];
  return [[`zones of ${size}`, ...limits].join(", ")];
}

function identity(
  options: DeviceOptions,
): Pick<GraphView, "name" | "version" | "kind" | "threads"> {
  if (options.kind === "file") {
    return { name: "file", version: "0.1.0", kind: "backend", threads: "parallel" };
  }
  const { name, version, kind, threads } = options.prepared.manifest;
  return { name, version, kind, threads };
}

/** `fast zero` for `fastZero`. */
function word(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
