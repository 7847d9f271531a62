// SPDX-License-Identifier: MIT
// Metrics as text that Prometheus and its relatives read (text exposition format 0.0.4).

import type { MetricSample, NodeMetrics } from "../block/metrics.ts";

/** What is known of one device on one reactor. */
export interface DeviceMetrics {
  reactor: number;
  /** The name of the export, where the server gave it one. */
  export: string;
  nodes: NodeMetrics[];
}

/** What is known of a server. */
export interface ServerMetrics {
  /** Clients that each reactor has; those that did not answer in time have no devices below. */
  connections: number[];
  devices: DeviceMetrics[];
}

/** A metric of one name, with all that is known of it. */
interface Family {
  type: string;
  help: string;
  lines: string[];
}

/** See the top of this file. */
export function metricsText({ connections, devices }: ServerMetrics): string {
  const families = new Map<string, Family>();
  const add = (name: string, type: string, help: string, lines: string[]) => {
    const family = families.get(name) ?? { type, help, lines: [] };
    families.set(name, family);
    // Two versions of a plugin may disagree about what they call by one name.
    if (family.type === type) family.lines.push(...lines);
  };
  connections.forEach((count, reactor) => {
    const name = "sandblock_connections";
    add(name, "gauge", "Clients that are connected", [`${name}${labels({ reactor })} ${count}`]);
  });
  for (const device of devices) {
    for (const node of device.nodes) {
      const where = { reactor: device.reactor, export: device.export, ...identity(node) };
      for (const [what, count, help] of ownCounters(node)) {
        const name = `sandblock_plugin_${what}_total`;
        add(name, "counter", help, [`${name}${labels(where)} ${count}`]);
      }
      for (const sample of node.samples) {
        const name = sampleName(node.plugin, sample);
        add(name, sample.type, sample.description, sampleLines(name, sample, where));
      }
    }
  }
  return [...families].map(([name, { type, help, lines }]) => {
    const about = help === "" ? "" : `# HELP ${name} ${escaped(help)}\n`;
    return `${about}# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
  }).join("");
}

type Labels = Record<string, string | number>;

function identity({ node, plugin }: NodeMetrics): Labels {
  return { node, plugin };
}

function ownCounters({ failures, restarts }: NodeMetrics): [string, number, string][] {
  return [
    ["failures", failures, "Calls into the plugin that trapped or took too long"],
    ["restarts", restarts, "Instances that were started in place of one that had failed"],
  ];
}

/** `sandblock_stats_reads_total` for the counter "reads" of "stats". */
function sampleName(plugin: string, { name, type }: MetricSample): string {
  const plain = `sandblock_${plugin}_${name}`.replace(/[^A-Za-z0-9_]/g, "_");
  return type === "counter" && !plain.endsWith("_total") ? `${plain}_total` : plain;
}

function sampleLines(name: string, sample: MetricSample, where: Labels): string[] {
  if (sample.type !== "histogram") return [`${name}${labels(where)} ${sample.value}`];
  let total = 0;
  const lines = sample.counts.map((count, index) => {
    total += count;
    const le = sample.bounds[index] ?? "+Inf";
    return `${name}_bucket${labels({ ...where, le })} ${total}`;
  });
  return [
    ...lines,
    `${name}_sum${labels(where)} ${sample.value}`,
    `${name}_count${labels(where)} ${total}`,
  ];
}

function labels(pairs: Labels): string {
  const list = Object.entries(pairs).map(([key, value]) => {
    return `${key}="${escaped(`${value}`).replaceAll('"', '\\"')}"`;
  });
  return `{${list.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
