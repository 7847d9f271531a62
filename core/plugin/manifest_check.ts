// SPDX-License-Identifier: MIT
// Checks the JSON of a manifest, field by field, and fills in what it leaves out. Whatever is wrong
// is one sentence about one field (wasm-plugins/abi/README.md, "Manifest").

import { ABI_MAJOR, ABI_MINOR } from "./abi.ts";
import { ParameterError, PluginError } from "./errors.ts";
import type { Manifest, ThreadModel } from "./manifest.ts";
import { Fields } from "./manifest_fields.ts";
import { checkNode, NODE_KEYS, NODE_KEYS_3_2 } from "./manifest_node.ts";
import { checkParameters } from "./manifest_parameters.ts";
import { parseSize } from "./quantities.ts";

const VERSION_LENGTH_MAX = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Keys of every manifest; those of 3.1 are in manifest_node.ts. */
export const MANIFEST_KEYS = [
  "abi",
  "name",
  "version",
  "kind",
  "description",
  "threads",
  "parameters",
  "limits",
];

/** The manifest that `json` is. Throws PluginError. */
export function checkManifest(json: unknown): Manifest {
  if (isPolicyManifest(json)) {
    throw new PluginError(
      "it is a policy, which is not served but asked about requests (--policy)",
    );
  }
  const fields = new Fields(json, "its manifest", [...MANIFEST_KEYS, ...NODE_KEYS]);
  const abi = checkAbi(fields);
  const minor = abiMinor(abi);
  if (minor < 2) new Fields(json, "its manifest", keysOf(minor));
  const name = fields.line("name", 64);
  if (!NAME.test(name)) {
    fields.fail("name", "it may have letters, digits, dots, dashes and underscores");
  }
  const kind = fields.oneOf("kind", minor < 1 ? ["plugin"] : ["plugin", "filter"]);
  return {
    abi,
    name,
    version: fields.line("version", VERSION_LENGTH_MAX),
    kind,
    description: fields.description(),
    threads: fields.oneOf("threads", threadModels(minor), "serialized"),
    parameters: checkParameters(fields.get("parameters") ?? []),
    limits: checkLimits(fields.get("limits") ?? {}),
    ...(minor < 1 ? {} : { node: checkNode(fields, kind, minor) }),
  };
}

/** Keys that a manifest may have that says so. */
function keysOf(minor: number): string[] {
  const later = NODE_KEYS.filter((key) => !NODE_KEYS_3_2.includes(key));
  return minor < 1 ? MANIFEST_KEYS : [...MANIFEST_KEYS, ...later];
}

function threadModels(minor: number): ThreadModel[] {
  return minor < 1 ? ["serialized", "parallel"] : ["serialized", "parallel", "blocking"];
}

/** Whether `json` is about a policy; how those are read is in core/policy. */
export function isPolicyManifest(json: unknown): boolean {
  return typeof json === "object" && json !== null && "kind" in json && json.kind === "policy";
}

/** The minor version in `abi`, which is `MAJOR.MINOR`. */
export function abiMinor(abi: string): number {
  return Number(abi.slice(abi.indexOf(".") + 1));
}

function checkAbi(fields: Fields): string {
  const abi = fields.line("abi", 16);
  const version = /^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$/.exec(abi);
  if (!version) fields.fail("abi", `it must be a version like "${ABI_MAJOR}.${ABI_MINOR}"`);
  if (Number(version[1]) !== ABI_MAJOR || Number(version[2]) > ABI_MINOR) {
    throw new PluginError(
      `it needs plugin ABI ${abi}; this sandblock speaks ${ABI_MAJOR}.${ABI_MINOR}`,
    );
  }
  return abi;
}

function checkLimits(json: unknown): Manifest["limits"] {
  const fields = new Fields(json, `"limits" of its manifest`, ["memory"]);
  const value = fields.get("memory");
  if (value === undefined) return {};
  const memory = typeof value === "string" ? sizeOf(fields, value) : value;
  if (!Number.isSafeInteger(memory) || memory as number <= 0) {
    fields.fail("memory", "it must be a positive number of bytes");
  }
  return { memory: memory as number };
}

function sizeOf(fields: Fields, text: string): number {
  try {
    return Number(parseSize(text));
  } catch (error) {
    if (error instanceof ParameterError) fields.fail("memory", error.message);
    throw error;
  }
}
