// SPDX-License-Identifier: MIT
// What a plugin may ask for beyond its own memory, as its manifest says it (ABI, "Capabilities").

import { PluginError } from "./errors.ts";
import { Fields } from "./manifest_fields.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";

/** Names of capabilities, with the words that follow "it may" or "it asks to". */
export const CAPABILITIES = {
  read: "read files",
  write: "read and write files",
  net: "connect to other machines",
  clock: "know what time it is",
  random: "get random numbers",
  logging: "log as much as it likes",
} as const;
export type Capability = keyof typeof CAPABILITIES;

/** Capabilities that this host can grant. */
export const GRANTABLE: ReadonlySet<Capability> = new Set([
  "read",
  "write",
  "net",
  "clock",
  "random",
  "logging",
]);

/** One thing that a plugin asks for. */
export interface CapabilityRequest {
  name: Capability;
  /** Without it the plugin is not started. */
  required: boolean;
  /** What it is for, in one line. */
  description: string;
}

/** Whether `word` names a capability. */
export function isCapability(word: string): word is Capability {
  return Object.hasOwn(CAPABILITIES, word);
}

/** Reads the key `capabilities` of a manifest. Throws PluginError. */
export function checkCapabilities(fields: Fields): CapabilityRequest[] {
  const json = fields.get("capabilities") ?? {};
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    fields.fail("capabilities", "it must be an object");
  }
  return Object.entries(json).map(([name, value]) => {
    if (!isCapability(name)) {
      fields.fail(
        "capabilities",
        `there is none called ${quoted(name)}${didYouMean(name, Object.keys(CAPABILITIES))}`,
      );
    }
    const where = `the capability "${name}" of its manifest`;
    const one = new Fields(value, where, ["required", "description"]);
    const request = { name, required: one.boolean("required"), description: one.description() };
    if (request.required && !GRANTABLE.has(name)) {
      throw new PluginError(
        `it needs the capability "${name}", which this sandblock does not have`,
      );
    }
    return request;
  });
}
