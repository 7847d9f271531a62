// SPDX-License-Identifier: MIT
// The manifest of a policy module: which conditions about the client make up the context, and what the
// reasons in its verdicts mean.

import { PluginError } from "../plugin/errors.ts";
import { MANIFEST_BYTES_MAX, MANIFEST_SECTION } from "../plugin/manifest.ts";
import { Fields } from "../plugin/manifest_fields.ts";
import { oneLine } from "../plugin/text.ts";
import { Section } from "../plugin/wasm/format.ts";
import { readSections } from "../plugin/wasm/sections.ts";
import { checkPeerCondition } from "./check.ts";
import { StatementError } from "./diagnostic.ts";
import { CONDITIONS_MAX, Verdict } from "./module.ts";
import { parseCondition } from "./parser.ts";
import type { Condition } from "./program.ts";

/** What a policy's manifest says. */
export interface PolicyManifest {
  conditions: Condition[];
  reasons: string[];
  timezone: "utc" | "local";
  /** It knows the commands that came with 3.2. */
  knowsLater: boolean;
}

const KEYS = [
  "abi",
  "name",
  "version",
  "kind",
  "description",
  "timezone",
  "conditions",
  "reasons",
];
const REASON_LENGTH_MAX = 256;
/** The conditions of compiled rules hold long sets, so their manifest may be longer. */
const BYTES_MAX = 16 * MANIFEST_BYTES_MAX;

/** The manifest of the module in `bytes`. Throws PluginError. */
export function readPolicyManifest(bytes: Uint8Array): PolicyManifest {
  const found = readSections(bytes).filter(({ id, name }) => {
    return id === Section.Custom && name === MANIFEST_SECTION;
  });
  const [section, second] = found;
  if (second) throw new PluginError(`it has more than one section "${MANIFEST_SECTION}"`);
  if (!section) throw new PluginError(`not a policy: it has no section "${MANIFEST_SECTION}"`);
  if (section.end - section.start > BYTES_MAX) {
    throw new PluginError(`its manifest is longer than ${BYTES_MAX} bytes`);
  }
  const fields = new Fields(
    parse(bytes.subarray(section.start, section.end)),
    "its manifest",
    KEYS,
  );
  const abi = fields.line("abi", 16);
  if (!/^3\.[02]$/.test(abi)) {
    throw new PluginError(`it needs ABI ${oneLine(abi)}; policies are of 3.0 or 3.2`);
  }
  fields.oneOf("kind", ["policy"]);
  return {
    knowsLater: abi === "3.2",
    timezone: fields.oneOf("timezone", ["utc", "local"], "local"),
    conditions: lines(fields, "conditions", CONDITIONS_MAX).map(conditionOf),
    reasons: lines(fields, "reasons", Verdict.ReasonMask + 1),
  };
}

function parse(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new PluginError("its manifest is not JSON in UTF-8");
  }
}

function lines(fields: Fields, key: "conditions" | "reasons", most: number): string[] {
  const value = fields.get(key) ?? [];
  if (!Array.isArray(value) || !value.every((line) => typeof line === "string")) {
    fields.fail(key, "it must be a list of strings");
  }
  if (value.length > most) fields.fail(key, `it may have ${most} elements`);
  if (key === "conditions") return value;
  return value.map((line: string) => oneLine(line.slice(0, REASON_LENGTH_MAX)));
}

function conditionOf(text: string, index: number): Condition {
  try {
    return checkPeerCondition(parseCondition(text));
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new PluginError(
      `condition ${index} of its manifest is wrong at column ${error.position.column}: ${error.message}`,
    );
  }
}
