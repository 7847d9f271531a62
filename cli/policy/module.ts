// SPDX-License-Identifier: MIT
// Policies that are modules, as the commands about plugins see them.

import { showCompiled } from "../../core/policy/explain.ts";
import { type LoadedPolicy, loadPolicy } from "../../core/policy/loaded.ts";
import { isPolicyManifest } from "../../core/plugin/manifest_check.ts";
import { MANIFEST_SECTION } from "../../core/plugin/manifest.ts";
import { readCustomSections, withCustomSection } from "../../core/plugin/wasm/sections.ts";
import { readFile } from "../files.ts";
import { PLUGIN_FILE_BYTES_MAX, withReason } from "../plugins.ts";

/** What is known of a policy. */
export interface PolicyDescription {
  name: string;
  version: string;
  description: string;
  path: string;
  loaded: LoadedPolicy;
}

/** The policy in the module at `path`; null where it is no such module. Throws Error for a bad one. */
export function inspectPolicyModule(path: string): PolicyDescription | null {
  if (!path.includes("/") && !path.endsWith(".wasm")) return null;
  const bytes = readFile("plugin", path, PLUGIN_FILE_BYTES_MAX);
  const json = manifestOf(bytes);
  if (!isPolicyManifest(json)) return null;
  const loaded = withReason(path, () => loadPolicy(bytes, path));
  const { name, version, description } = json as Record<string, unknown>;
  return {
    name: `${name}`,
    version: `${version}`,
    description: `${description ?? ""}`,
    path,
    loaded,
  };
}

/** `module` with the manifest `json` of a policy. Throws PluginError where that is not accepted. */
export function packPolicy(module: Uint8Array, json: string): Uint8Array {
  const packed = withCustomSection(module, MANIFEST_SECTION, new TextEncoder().encode(json));
  loadPolicy(packed, "module");
  return packed;
}

/** Whether the text of a manifest is that of a policy. */
export function isPolicyText(json: string): boolean {
  try {
    return isPolicyManifest(JSON.parse(json));
  } catch {
    return false;
  }
}

/** The text of `plugin show`. */
export function policyText(
  { name, version, description, path, loaded }: PolicyDescription,
): string {
  const { policy } = loaded;
  const reasons = policy.reasons.map((reason, index) => `  ${index}  ${reason}`);
  return [
    `${name} ${version}`,
    ...description === "" ? [] : [description],
    "",
    `From          ${path}`,
    "Kind          policy",
    "ABI           3.0 (sandblock:v3)",
    "May use       nothing: it has no imports",
    "",
    ...showCompiled(policy, null),
    ...reasons.length > 0 ? ["", "reasons of its verdicts:", ...reasons] : [],
    "",
  ].join("\n");
}

/** The same as JSON. */
export function policyJson(
  { name, version, description, path, loaded }: PolicyDescription,
): string {
  const { bytes, conditions, reasons, timezone, verified } = loaded.policy;
  const about = { name, version, kind: "policy", description, path };
  const facts = { conditions: conditions.length, reasons, timezone, clock: verified.clock };
  return JSON.stringify(
    { ...about, ...facts, steps: verified.steps, bytes: bytes.length },
    null,
    2,
  ) +
    "\n";
}

/** The JSON of the manifest, whatever it is; null where there is none. */
function manifestOf(bytes: Uint8Array): unknown {
  try {
    const sections = readCustomSections(bytes);
    const section = sections.find(({ name }) => name === MANIFEST_SECTION);
    if (section === undefined) return null;
    return JSON.parse(new TextDecoder().decode(bytes.subarray(section.start, section.end)));
  } catch {
    return null;
  }
}
