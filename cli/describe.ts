// SPDX-License-Identifier: MIT
// What a plugin or backend is, as text for people, as key=value lines and as JSON.

import type { Grants } from "../core/plugin/grants.ts";
import type { Manifest } from "../core/plugin/manifest.ts";
import { LATER_CALLS, PLAIN_NODE } from "../core/plugin/manifest_node.ts";
import type { ParameterDeclaration } from "../core/plugin/parameters.ts";
import { capabilityLines, need } from "./capabilities.ts";
import { columns, fill, HELP_WIDTH, usageLines } from "./declare/text.ts";

/** Everything that is known about a plugin without running it. */
export interface Description {
  manifest: Manifest;
  /** File it was read from; null for what is built in. */
  path: string | null;
  /**
   * Functions of the ABI that it provides, without prefix: `pread`. Empty for a backend, and for a
   * component, which tells when it runs.
   */
  functions: string[];
  /** Bytes that its memory may grow to; null for a backend. */
  memoryMaximum: number | null;
  /** What it would be allowed; absent where nobody has said. */
  grants?: Grants;
}

/** How a value of a parameter is written, for `size=SIZE`. */
export function valueText(parameter: ParameterDeclaration): string {
  if (parameter.type === "enum") return (parameter.values ?? []).join("|");
  return parameter.type === "bool" ? "true|false" : parameter.type.toUpperCase();
}

/** `size=SIZE`, or `[size=]SIZE` where the key may be left out. */
export function parameterTerm(parameter: ParameterDeclaration): string {
  const key = parameter.positional ? `[${parameter.name}=]` : `${parameter.name}=`;
  return key + valueText(parameter);
}

/** The sentence about a parameter, with what limits it. */
export function parameterText(parameter: ParameterDeclaration): string {
  const facts: string[] = [];
  if (parameter.required) facts.push("required");
  if (parameter.default !== undefined) facts.push(`default: ${parameter.default}`);
  facts.push(...rangeFacts(parameter));
  if (parameter.repeated) facts.push("may be given several times");
  const text = parameter.description.replace(/\.$/, "");
  return facts.length > 0 ? `${text} (${facts.join("; ")})` : text;
}

function rangeFacts({ type, minimum, maximum }: ParameterDeclaration): string[] {
  if (minimum !== undefined && maximum !== undefined) return [`from ${minimum} to ${maximum}`];
  if (maximum !== undefined) return [`at most ${maximum}`];
  // There is no size and no time below zero anyway.
  const natural = type === "size" || type === "duration";
  if (minimum === undefined || (natural && minimum === "0")) return [];
  return [`at least ${minimum}`];
}

/**
 * What is written to use a plugin that is called `called`, without the program: one way or several. A
 * filter has something below it, which --filter or brackets say.
 */
export function usageForms(manifest: Manifest, called: string): string[] {
  const { kind, node, parameters } = manifest;
  const optional = (term: string, required: boolean) => required ? term : `[${term}]`;
  if (kind === "plugin") {
    const terms = parameters.map((one) => optional(parameterTerm(one), one.required ?? false));
    return [[called, ...terms].join(" ")];
  }
  // What stands without a key belongs to the plugin below.
  const terms = parameters.map((one) =>
    optional(`${one.name}=${valueText(one)}`, one.required ?? false)
  );
  const { minimum, maximum } = node?.children ?? { minimum: 1, maximum: 1 };
  const below = Array(minimum).fill("[ PLUGIN ]").join(" ") + (maximum > minimum ? "..." : "");
  if (minimum > 1) return [[called, ...terms, below].join(" ")];
  const required = terms.filter((_, index) => parameters[index]!.required);
  const others = required.length < terms.length ? ["[KEY=VALUE...]"] : [];
  return [
    [`--filter ${called} PLUGIN`, ...terms].join(" "),
    [called, ...required, ...others, below].join(" "),
  ];
}

/** Sentence about the brackets in the forms of a filter; empty for a plugin. */
export function bracketsText({ kind }: Manifest): string {
  if (kind === "plugin") return "";
  return "PLUGIN stands for a plugin with its parameters. Brackets with spaces inside are typed as " +
    "they stand.";
}

/** Help on the parameters of a plugin that was called `called`: by its name, or the path of its file. */
export function pluginHelp(manifest: Manifest, called = manifest.name): string {
  const { name, version, description, parameters } = manifest;
  const [form, ...others] = usageForms(manifest, called);
  const brackets = bracketsText(manifest);
  const lines = [
    ...usageLines(`sandblock serve [OPTION...] ${form}`),
    ...others.flatMap((other) => usageLines(`sandblock serve [OPTION...] ${other}`, "   or: ")),
    "",
    ...fill(`${name} ${version}: ${description}`, HELP_WIDTH),
    ...brackets === "" ? [] : ["", ...fill(brackets, HELP_WIDTH)],
    "",
    ...parameterLines(parameters),
    ...capabilityLines(manifest.node?.capabilities ?? [], null),
    "",
    `The options of "sandblock serve" are shown by "sandblock serve --help"`,
  ];
  return lines.join("\n") + "\n";
}

/** How values are written, for those types of which the name does not say it. */
const VALUE_FORMS: Readonly<Partial<Record<ParameterDeclaration["type"], string>>> = {
  size: "bytes, also with a unit: 512, 64K, 1.5G, 8s (sectors of 512 bytes)",
  duration: "seconds, or with a unit: 0.5, 10ms, 2m, 1h",
  percentage: "50%, 0.1%",
  list: "a,b,c",
  file: "path of a file, which is read once, at the start",
  secret: "the secret itself, +FILE, fd:N, env:NAME, or - to be asked for it",
};

/** How the values that `parameters` take are written: `SIZE`, and what that looks like. */
export function valueForms(parameters: readonly ParameterDeclaration[]): [string, string][] {
  const types = [...new Set(parameters.map(({ type }) => type))];
  return types.flatMap((type): [string, string][] => {
    const form = VALUE_FORMS[type];
    return form === undefined ? [] : [[type.toUpperCase(), form]];
  });
}

function parameterLines(parameters: readonly ParameterDeclaration[]): string[] {
  if (parameters.length === 0) return ["It takes no parameters"];
  const rows = parameters.map((p) => [parameterTerm(p), parameterText(p)] as const);
  const values = valueForms(parameters);
  const forms = values.length === 0 ? [] : ["", "Values", ...columns(values, 30)];
  return ["Parameters", ...columns(rows, 30), ...forms];
}

/** Requests that go by a filter only if it says so, and that it lets pass. */
function passing({ node = PLAIN_NODE }: Manifest): string[] {
  return LATER_CALLS.filter((call) => node.calls[call] === "pass");
}

/** The text of `plugin show`. */
export function descriptionText(description: Description): string {
  const { manifest, path, functions, memoryMaximum } = description;
  const facts: [string, string][] = [["From", path ?? "built in"]];
  const form = functions.length > 0 ? "sandblock:v3" : "component";
  if (memoryMaximum !== null) facts.push(["ABI", `${manifest.abi} (${form})`]);
  const { instances } = manifest.node ?? PLAIN_NODE;
  const several = manifest.threads === "blocking" ? `, ${instances} instances` : "";
  facts.push(["Threads", `${manifest.threads}${several}`]);
  if (memoryMaximum !== null) facts.push(["Memory", `at most ${bytesText(memoryMaximum)}`]);
  if (functions.length > 0) facts.push(["Provides", functions.join(" ")]);
  const passed = passing(manifest);
  if (passed.length > 0) facts.push(["Lets pass", passed.join(" ")]);
  const asked = manifest.node?.capabilities ?? [];
  const own = asked.length === 0 ? "its own memory only" : "its own memory, and what it is allowed";
  facts.push(["May use", memoryMaximum !== null ? own : "files"]);
  const lines = [
    `${manifest.name} ${manifest.version}`,
    ...fill(manifest.description, HELP_WIDTH),
    "",
    ...columns(facts, 14),
    ...capabilityLines(asked, description.grants ?? null),
    "",
    ...parameterLines(manifest.parameters),
  ];
  return lines.join("\n") + "\n";
}

/** Sorted `key=value` lines, for `--dump-plugin`. The keys are stable and only grow in number. */
export function descriptionLines(description: Description): string {
  const { manifest, path, functions, memoryMaximum } = description;
  const pairs: Record<string, string | number> = {
    abi: manifest.abi,
    description: manifest.description,
    kind: manifest.kind,
    name: manifest.name,
    path: path ?? "builtin",
    thread_model: manifest.threads,
    version: manifest.version,
  };
  if (manifest.threads === "blocking") pairs["instances"] = manifest.node!.instances;
  const positional = manifest.parameters.find((parameter) => parameter.positional);
  if (positional) pairs["magic_config_key"] = positional.name;
  if (memoryMaximum !== null) pairs["memory_max"] = memoryMaximum;
  for (const asked of manifest.node?.capabilities ?? []) {
    pairs[`capability_${asked.name}`] = need(asked);
  }
  for (const name of functions) pairs[`has_${name}`] = 1;
  for (const name of passing(manifest)) pairs[`passes_${name}`] = 1;
  for (const { name, type } of manifest.parameters) pairs[`parameter_${name}`] = type;
  return pairLines(pairs);
}

/** `key=value` lines in the order of the keys. */
export function pairLines(pairs: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(pairs).map(([key, value]) => `${key}=${value}`);
  return lines.sort().join("\n") + "\n";
}

/** The description as JSON. */
export function descriptionJson(description: Description): string {
  const { manifest, ...rest } = description;
  return JSON.stringify({ ...manifest, ...rest }, null, 2) + "\n";
}

/** `256M`, in the largest unit that divides it. */
export function bytesText(bytes: number): string {
  const units = ["", "K", "M", "G", "T"];
  let unit = 0;
  while (bytes >= 1024 && bytes % 1024 === 0 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${bytes}${units[unit]}`;
}
