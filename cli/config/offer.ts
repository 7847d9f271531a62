// SPDX-License-Identifier: MIT
// From what a configuration says to devices that can be started: plugins are found, checked and
// compiled, parameters parsed, policies read. All that is wrong is collected.

import type { DeviceOptions, ExportOffer, ExportsOffer } from "../../core/control/options.ts";
import { bundledGrants, checkGrants, parseGrants } from "../../core/plugin/grants.ts";
import { ParameterError } from "../../core/plugin/errors.ts";
import { absolutePath } from "../../core/plugin/path.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { type PreparedPlugin, preparePlugin } from "../../core/plugin/prepare.ts";
import type { RestartPolicy } from "../../core/plugin/restart_policy.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import type { Policy } from "../../core/policy/loaded.ts";
import { findPlugin, type Source, withReason } from "../plugins.ts";
import { checkDescriptors } from "../serve/device.ts";
import { findingLines, readPolicy } from "../policy/files.ts";
import { milliseconds, size } from "../values.ts";
import type { Config, ConfigExport, ConfigNode, Located } from "./config.ts";
import type { Fault } from "./read.ts";

/** See the top of this file. */
export class Offering {
  readonly faults: Fault[] = [];
  readonly warnings: string[] = [];
  readonly #config: Config;
  readonly #directory: string;
  readonly #sources = new Map<string, Source | null>();
  /** By plugin and memory: what is used several times is compiled once. */
  readonly #prepared = new Map<string, PreparedPlugin>();

  /** Paths are relative to `directory`. */
  constructor(config: Config, directory: string) {
    this.#config = config;
    this.#directory = directory;
  }

  /** What to serve; null where there are faults. */
  offer(): ExportsOffer | null {
    const { exports, defaultExport } = this.#config;
    const offers = exports.map((one) => this.#export(one));
    this.faults.sort((a, b) => a.line - b.line || a.column - b.column);
    if (this.faults.length > 0) return null;
    return { exports: offers.filter((one) => one !== null), defaultExport };
  }

  /** The policies of all exports by their names, null for none. */
  policies(): Map<string, Policy | null> {
    return new Map(this.#config.exports.map(({ name, policy }) => {
      return [name, policy === undefined ? null : this.#policy(policy)];
    }));
  }

  #export({ name, description, readOnly, policy, node }: ConfigExport): ExportOffer | null {
    const device = this.#node(node);
    const rules = policy === undefined ? null : this.#policy(policy);
    if (device === null) return null;
    const text = description ?? this.#description(leafOf(node));
    return { name, description: text, device, readOnly, policy: rules };
  }

  /** What clients are told of a device that the file says nothing about: the name of its file, or what it is. */
  #description(leaf: ConfigNode): string {
    const source = this.#source(leaf);
    if (source?.kind !== "backend") return source?.manifest.description ?? "";
    const path = leaf.parameters.find(({ name }) => name === "file")?.value.text ?? "";
    return path.slice(path.lastIndexOf("/") + 1);
  }

  #node(node: ConfigNode): DeviceOptions | null {
    const source = this.#source(node);
    const children = node.children.map((child) => this.#node(child));
    if (source === null || !this.#fits(node, source)) return null;
    const { manifest } = source;
    const values = this.#try(node.plugin, () => this.#values(node, source));
    const grants = this.#try(node.allow[0] ?? node.plugin, () => {
      const texts = node.allow.map(({ text }) => text);
      const given = parseGrants(texts, this.#directory);
      const isBundled = source.kind === "plugin" && source.path === null;
      const grants = isBundled ? bundledGrants(manifest, given) : given;
      checkGrants(manifest, grants, "allow: ");
      return grants;
    });
    if (values === null || grants === null || children.includes(null)) return null;
    if (source.kind === "backend") return this.#backend(node, values);
    const prepared = this.#try(node.plugin, () => this.#prepare(node, source));
    if (prepared === null) return null;
    const { timeout, restart } = node;
    return {
      kind: "plugin",
      prepared,
      values,
      grants,
      ...timeout && { timeoutMs: milliseconds("timeout", timeout.text) },
      ...restart && { restart: restart.text as RestartPolicy },
      ...children.length > 0 && { children: children as DeviceOptions[] },
    };
  }

  #backend(
    { plugin, memory, timeout, restart }: ConfigNode,
    values: Extract<DeviceOptions, { kind: "file" }>["values"],
  ): DeviceOptions | null {
    const surplus = Object.entries({ memory, timeout, restart }).filter(([, field]) => field);
    for (const [key, field] of surplus) {
      this.#fail(field!, `"${plugin.text}" is part of the host and has no ${key}`);
    }
    if (surplus.length > 0) return null;
    return this.#try(plugin, () => {
      checkDescriptors(plugin.text, values);
      return { kind: "file", values };
    });
  }

  #source({ plugin }: ConfigNode): Source | null {
    const { text } = plugin;
    const isPath = text.includes("/") || text.endsWith(".wasm");
    const name = isPath ? absolutePath(this.#directory, text) : text;
    let source = this.#sources.get(name);
    if (source === undefined) {
      source = this.#try(plugin, () => findPlugin(name));
      this.#sources.set(name, source);
    }
    return source;
  }

  /** Whether it has as many below it as it can stand on. */
  #fits({ plugin, children }: ConfigNode, { manifest }: Source): boolean {
    const { minimum, maximum } = manifest.node?.children ?? { minimum: 0, maximum: 0 };
    const count = children.length;
    if (count >= minimum && count <= maximum) return true;
    const name = plugin.text;
    if (maximum === 0) this.#fail(plugin, `"${name}" is a plugin, which has nothing below it`);
    else if (count === 0) this.#fail(plugin, `"${name}" is a filter: say what is "below" it`);
    else {
      const devices = count === 1 ? "1 device" : `${count} devices`;
      const range = minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`;
      this.#fail(plugin, `"${name}" cannot stand on ${devices}: it takes ${range}`);
    }
    return false;
  }

  #values({ parameters, plugin }: ConfigNode, { manifest }: Source) {
    const names = manifest.parameters.map(({ name }) => name);
    const unknown = parameters.filter(({ name }) => !names.includes(name));
    for (const { name, at } of unknown) {
      const right = didYouMean(name, names) ||
        (names.length > 0 ? `; the parameters are ${names.join(", ")}` : "; it takes none");
      this.#fail(at, `"${plugin.text}" has no parameter "${name}"${right}`);
    }
    if (unknown.length > 0) return null;
    const args = parameters.map(({ name, value }) => `${name}=${value.text}`);
    try {
      return parseParameters(manifest.parameters, args, { directory: this.#directory });
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      const at = parameters.find(({ name }) => name === error.parameter);
      this.#fail(at?.value ?? plugin, error.message);
      return null;
    }
  }

  #prepare({ plugin, memory }: ConfigNode, source: Source & { kind: "plugin" }): PreparedPlugin {
    const text = memory?.text ?? this.#config.values.pluginMemory;
    const maximum = text === undefined
      ? undefined
      : size("memory", text, { minimum: 65536, maximum: 2 ** 34 });
    const key = `${maximum}:${plugin.text}`;
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const limits = maximum === undefined ? {} : { memoryMaximum: maximum };
    const prepared = withReason(plugin.text, () => preparePlugin(source.bytes, limits));
    this.#prepared.set(key, prepared);
    return prepared;
  }

  #policy(policy: Located): Policy | null {
    const path = absolutePath(this.#directory, policy.text);
    return this.#try(policy, () => {
      const { policy: rules, diagnostics } = readPolicy(path);
      for (const one of diagnostics) this.warnings.push(findingLines(path, [one]).trimEnd());
      return rules;
    });
  }

  #try<T>(at: { line: number; column: number }, action: () => T | null): T | null {
    try {
      return action();
    } catch (error) {
      return this.#fail(at, (error as Error).message);
    }
  }

  #fail({ line, column }: { line: number; column: number }, message: string): null {
    this.faults.push({ line, column, message });
    return null;
  }
}

function leafOf(node: ConfigNode): ConfigNode {
  return node.children.length === 1 ? leafOf(node.children[0]!) : node;
}
