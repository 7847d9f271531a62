// SPDX-License-Identifier: MIT
// From what a command line names, with its parameters, to a device that can be started.

import type { DeviceOptions } from "../../core/control/options.ts";
import { ParameterError } from "../../core/plugin/errors.ts";
import {
  parameterKey,
  type ParameterValue,
  parseParameters,
} from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { isInherited } from "../../native/descriptor.ts";
import { usageForms } from "../describe.ts";
import { UsageError } from "../errors.ts";
import { findPlugin, type Source, withReason } from "../plugins.ts";
import { Allowances, type NamedManifest } from "./allow.ts";
import { type GraphNode, parseGraph } from "./graph.ts";
import type { Plan } from "./plan.ts";

/** What is needed of a plan. */
export type DevicePlan = Pick<
  Plan,
  "plugin" | "parameters" | "filters" | "pluginMemory" | "allow" | "restart"
>;

/** Finds, checks and compiles the plugins and parses their parameters. Throws Error. */
export function prepareDevice(plan: DevicePlan): DeviceOptions {
  const { plugin, parameters, filters = [] } = plan;
  const node = parseGraph([plugin, ...parameters]);
  const leaf = findPlugin(node.name);
  const layers = filters.map((name) => ({ name, source: findFilter(name) }));
  const shared = [...layers, { name: node.name, source: leaf }];
  const given = distribute(shared, node.parameters);
  const others = plan.allow === undefined ? [] : [...layers, ...nodesBelow(node)];
  const allow = new Allowances(plan.allow, others.map(manifestOf));
  let device = prepareNode({ ...node, parameters: given.pop()! }, leaf, plan, allow, true);
  // The first filter on the command line is the first that a request gets to.
  for (const { name, source } of layers.toReversed()) {
    device = prepareLayer(name, source, given.pop()!, plan, [device], allow);
  }
  allow.checkNames();
  return device;
}

/** All nodes in brackets, each before those below it. */
function nodesBelow({ children }: GraphNode): { name: string; source: Source }[] {
  return children.flatMap((child) => [
    { name: child.name, source: findPlugin(child.name) },
    ...nodesBelow(child),
  ]);
}

function manifestOf({ name, source }: { name: string; source: Source }): NamedManifest {
  return { name, manifest: source.manifest };
}

function findFilter(name: string): Source {
  const source = findPlugin(name);
  if (source.manifest.kind === "filter") return source;
  throw new UsageError(
    `cannot use --filter "${name}": it is a plugin, which has nothing below it; ` +
      `"sandblock plugin list" names the filters`,
  );
}

function prepareNode(
  node: GraphNode,
  source: Source,
  plan: DevicePlan,
  allow: Allowances,
  isMain = false,
): DeviceOptions {
  const { name, parameters } = node;
  const isFilter = source.manifest.kind === "filter";
  if (!isFilter && node.children.length > 0) {
    throw new UsageError(
      `cannot put "[ ${node.children[0]!.name} ]" below "${name}": only filters stand on others`,
    );
  }
  if (isFilter && node.children.length === 0) {
    const forms = usageForms({ ...source.manifest, parameters: [] }, name).join(", or ");
    throw new UsageError(`cannot serve the filter "${name}" by itself: write ${forms}`);
  }
  const children = node.children.map((child) =>
    prepareNode(child, findPlugin(child.name), plan, allow)
  );
  return prepareLayer(name, source, parameters, plan, children, allow, isMain);
}

function prepareLayer(
  name: string,
  source: Source,
  parameters: readonly string[],
  { pluginMemory, restart }: DevicePlan,
  children: DeviceOptions[],
  allow: Allowances,
  isMain = false,
): DeviceOptions {
  const values = parameterValues(name, source, parameters);
  const isBundled = source.kind === "plugin" && source.path === null;
  const grants = allow.of(name, source.manifest, isMain, isBundled);
  if (source.kind === "backend") {
    checkDescriptors(name, values);
    return { kind: "file", values };
  }
  const limits = pluginMemory === undefined ? {} : { memoryMaximum: pluginMemory };
  const prepared = withReason(name, () => preparePlugin(source.bytes, limits));
  checkChildren(name, source, children.length);
  return {
    kind: "plugin",
    prepared,
    values,
    grants,
    ...restart !== undefined && { restart },
    ...children.length > 0 && { children },
  };
}

/** Throws UsageError for a descriptor that nobody has handed over: it may be one of the runtime. */
export function checkDescriptors(plugin: string, values: readonly ParameterValue[]): void {
  for (const { name, value } of values) {
    if (name !== "fd" && name !== "dirfd" || isInherited(Number(value))) continue;
    throw new UsageError(
      `cannot use ${name}=${value} of "${plugin}": no such descriptor was inherited; ` +
        `open it for sandblock, as in ${value}<FILE`,
    );
  }
}

function checkChildren(name: string, { manifest }: Source, count: number): void {
  const { minimum, maximum } = manifest.node?.children ?? { minimum: 0, maximum: 0 };
  if (count >= minimum && count <= maximum) return;
  const range = minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`;
  const devices = count === 1 ? "1 device" : `${count} devices`;
  throw new UsageError(`cannot put "${name}" above ${devices}: it takes ${range}`);
}

function parameterValues(name: string, { manifest }: Source, parameters: readonly string[]) {
  try {
    return parseParameters(manifest.parameters, parameters);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(error.message, `sandblock serve --help ${name}`);
  }
}

/** Gives each of `args` to every layer that has a parameter of its name; the rest is the last one's. */
function distribute(layers: { source: Source }[], args: readonly string[]): string[][] {
  const names = layers.map(({ source }) => source.manifest.parameters.map(({ name }) => name));
  const given = layers.map((): string[] => []);
  const last = layers.length - 1;
  for (const arg of args) {
    const key = parameterKey(arg);
    const takers = names.flatMap((known, index) =>
      key !== null && known.includes(key) ? index : []
    );
    if (key !== null && takers.length === 0 && layers.length > 1) {
      throw new UsageError(
        `cannot set "${key}": neither the plugin nor a filter has such a parameter` +
          (didYouMean(key, names.flat()) || `; the parameters are ${names.flat().join(", ")}`),
      );
    }
    for (const index of takers.length > 0 ? takers : [last]) given[index]!.push(arg);
  }
  return given;
}
