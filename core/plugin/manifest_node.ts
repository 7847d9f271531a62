// SPDX-License-Identifier: MIT
// Checks what ABI 3.1 added to the manifest: filters and what is below them, features, metrics,
// alignment (wasm-plugins/abi/README.md, "Manifest").

import { FEATURES } from "./abi.ts";
import { type CapabilityRequest, checkCapabilities } from "./capabilities.ts";
import { PluginError } from "./errors.ts";
import { Fields } from "./manifest_fields.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";

/** Children that one node may have. */
export const CHILDREN_MAX = 64;
/** Metrics and features that a manifest may name. */
const NAMES_MAX = 64;
/** Buckets of one histogram, besides that for all that is larger. */
const BUCKETS_MAX = 64;
/** Instances of a plugin whose threads are blocking: without a wish, and at the most. */
export const INSTANCES_DEFAULT = 4;
export const INSTANCES_MAX = 64;
/** Largest alignment of buffers: that of a page. */
const ALIGNMENT_MAX = 4096;
const WORD = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Calls for requests, without `sb_`. */
export const DATA_CALLS = ["pread", "pwrite", "flush", "trim", "zero", "cache", "extents"] as const;
/** Those that came with 3.2, which pass a filter only where it says so. */
export const LATER_CALLS = ["secure_erase", "ioctl"] as const;
export type DataCall = typeof DATA_CALLS[number] | typeof LATER_CALLS[number];

/** Whether `call` is one of LATER_CALLS. */
export function isLater(call: DataCall): boolean {
  return (LATER_CALLS as readonly string[]).includes(call);
}

/**
 * What a filter does with a call: passes it on, or answers it by other means; or has no function for it and
 * lets it pass.
 */
export type CallUse = "forward" | "transform" | "pass";

/** A number that a plugin keeps up to date. */
export interface MetricDeclaration {
  name: string;
  /** A counter only grows; a histogram counts observations by how large they are. */
  type: "counter" | "gauge" | "histogram";
  description: string;
  /** Histogram: upper bounds of its buckets, ascending. */
  buckets: number[];
}

/** The keys of a manifest that came with 3.1. */
export interface NodeManifest {
  /** How many nodes a filter has below it; null for a plugin. */
  children: { minimum: number; maximum: number } | null;
  calls: Partial<Record<DataCall, CallUse>>;
  /** What is below is opened read-only, whatever the client may. */
  nextReadOnly: boolean;
  uses: string[];
  /** What it asks for beyond its own memory. */
  capabilities: CapabilityRequest[];
  metrics: MetricDeclaration[];
  /** Buffers begin at multiples of this many bytes. */
  alignment: number;
  /** A write of a client is one call, not one for each part of its payload that has arrived. */
  wholeWrites: boolean;
  /** Instances that answer requests where threads are blocking; else 1. */
  instances: number;
  /** Whether a filter may stand on a device with zones, which are then its own. Since 3.2. */
  zones: "refuse" | "pass";
}

/** What a manifest of ABI 3.0 amounts to. */
export const PLAIN_NODE: NodeManifest = {
  children: null,
  calls: {},
  nextReadOnly: false,
  uses: [],
  capabilities: [],
  metrics: [],
  alignment: 1,
  wholeWrites: false,
  instances: 1,
  zones: "refuse",
};

/** Keys of the manifest that are read here. */
export const NODE_KEYS = [
  "children",
  "calls",
  "next_read_only",
  "needs",
  "uses",
  "capabilities",
  "metrics",
  "alignment",
  "whole_writes",
  "instances",
  "zones",
];

/** Those of them that 3.1 does not have. */
export const NODE_KEYS_3_2 = ["zones"];

/** Reads them. Throws PluginError. */
export function checkNode(
  fields: Fields,
  kind: "plugin" | "filter",
  minor: number,
): NodeManifest {
  for (const key of ["children", "calls", "next_read_only", "zones"]) {
    if (kind === "plugin" && fields.get(key) !== undefined) {
      fields.fail(key, "only a filter has something below it");
    }
  }
  for (const need of checkWords(fields, "needs")) {
    if (FEATURES.has(need)) continue;
    const known = [...FEATURES];
    throw new PluginError(
      `it needs the feature ${quoted(need)}, which this sandblock does not have` +
        didYouMean(need, known),
    );
  }
  return {
    children: kind === "filter" ? checkChildren(fields) : null,
    calls: checkCalls(fields, minor),
    nextReadOnly: fields.boolean("next_read_only"),
    uses: checkWords(fields, "uses"),
    capabilities: checkCapabilities(fields),
    metrics: checkMetrics(fields),
    alignment: checkAlignment(fields),
    wholeWrites: fields.boolean("whole_writes"),
    instances: checkInstances(fields),
    zones: checkZones(fields),
  };
}

function checkChildren(fields: Fields): { minimum: number; maximum: number } {
  const json = fields.get("children");
  if (json === undefined) return { minimum: 1, maximum: 1 };
  const one = new Fields(json, `"children" of its manifest`, ["minimum", "maximum"]);
  const minimum = checkNumber(one, "minimum", 1);
  return { minimum, maximum: checkNumber(one, "maximum", minimum) };
}

function checkNumber(fields: Fields, key: string, least: number): number {
  const value = fields.get(key) ?? (key === "maximum" ? CHILDREN_MAX : least);
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > CHILDREN_MAX) {
    fields.fail(key, `it must be a number from ${least} to ${CHILDREN_MAX}`);
  }
  return value as number;
}

function checkCalls(fields: Fields, minor: number): Partial<Record<DataCall, CallUse>> {
  const json = fields.get("calls");
  if (json === undefined) return {};
  const later = minor < 2 ? [] : LATER_CALLS;
  const one = new Fields(json, `"calls" of its manifest`, [...DATA_CALLS, ...later]);
  const calls: Partial<Record<DataCall, CallUse>> = {};
  for (const call of DATA_CALLS) {
    if (one.get(call) !== undefined) calls[call] = one.oneOf(call, ["forward", "transform"]);
  }
  for (const call of later) {
    if (one.get(call) !== undefined) {
      calls[call] = one.oneOf(call, ["forward", "transform", "pass"]);
    }
  }
  return calls;
}

function checkWords(fields: Fields, key: string): string[] {
  const value = fields.get(key) ?? [];
  const words = Array.isArray(value) ? value : [null];
  if (words.length > NAMES_MAX) fields.fail(key, `it may have ${NAMES_MAX} elements`);
  if (words.every((word) => typeof word === "string" && WORD.test(word))) return words as string[];
  return fields.fail(key, "it must be a list of words");
}

function checkMetrics(fields: Fields): MetricDeclaration[] {
  const json = fields.get("metrics") ?? [];
  if (!Array.isArray(json)) fields.fail("metrics", "it must be a list");
  if (json.length > NAMES_MAX) fields.fail("metrics", `it may have ${NAMES_MAX} elements`);
  const metrics = json.map((value, index): MetricDeclaration => {
    const one = new Fields(value, `metric ${index} of its manifest`, [
      "name",
      "type",
      "description",
      "buckets",
    ]);
    const name = one.line("name", 64);
    if (!WORD.test(name)) one.fail("name", "it must be a word");
    const type = one.oneOf("type", ["counter", "gauge", "histogram"]);
    return { name, type, description: one.description(), buckets: checkBuckets(one, type) };
  });
  const names = metrics.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) fields.fail("metrics", `${quoted(twice)} is there twice`);
  return metrics;
}

function checkBuckets(fields: Fields, type: MetricDeclaration["type"]): number[] {
  const value = fields.get("buckets");
  if (type !== "histogram") {
    if (value !== undefined) fields.fail("buckets", "only a histogram has buckets");
    return [];
  }
  const bounds: unknown[] = Array.isArray(value) ? value : [];
  const valid = bounds.every((bound, index) => {
    return Number.isSafeInteger(bound) &&
      (index === 0 || (bound as number) > Number(bounds[index - 1]));
  });
  if (valid && bounds.length > 0 && bounds.length <= BUCKETS_MAX) return bounds as number[];
  return fields.fail("buckets", `it must be a list of 1 to ${BUCKETS_MAX} ascending numbers`);
}

function checkAlignment(fields: Fields): number {
  const value = fields.get("alignment") ?? 1;
  const valid = typeof value === "number" && Number.isInteger(value) && value >= 1 &&
    value <= ALIGNMENT_MAX && (value & (value - 1)) === 0;
  if (valid) return value;
  return fields.fail("alignment", `it must be a power of two, 1 to ${ALIGNMENT_MAX}`);
}

function checkInstances(fields: Fields): number {
  const value = fields.get("instances");
  if (fields.get("threads") !== "blocking") {
    if (value !== undefined) fields.fail("instances", `only "threads": "blocking" has several`);
    return 1;
  }
  const count = value ?? INSTANCES_DEFAULT;
  if (typeof count === "number" && Number.isInteger(count)) {
    if (count >= 1 && count <= INSTANCES_MAX) return count;
  }
  return fields.fail("instances", `it must be a number from 1 to ${INSTANCES_MAX}`);
}

/** Requests about zones go past a filter, so it must not make anything else of the data. */
function checkZones(fields: Fields): "refuse" | "pass" {
  const value = fields.oneOf("zones", ["refuse", "pass"], "refuse");
  if (value === "refuse") return value;
  if (checkChildren(fields).maximum > 1) fields.fail("zones", "it has several children");
  if (fields.get("threads") === "blocking") fields.fail("zones", `its calls wait ("blocking")`);
  if (fields.boolean("next_read_only")) fields.fail("zones", "its child is opened read-only");
  const calls = checkCalls(fields, 2);
  const changed = DATA_CALLS.find((call) => {
    return calls[call] === "transform" && call !== "cache" && call !== "extents";
  });
  if (changed !== undefined) fields.fail("zones", `"calls" says that it transforms ${changed}`);
  return value;
}
