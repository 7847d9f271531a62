// SPDX-License-Identifier: MIT
// Whether the manifest and the functions of the module fit together, beyond what loading checks.

import { PLAIN_NODE } from "../../plugin/manifest_node.ts";
import { type Check, Fault, type Kit } from "../kit.ts";

/** Which functions make use of a feature, both ways. */
const FEATURE_FUNCTIONS: Readonly<Record<string, RegExp>> = {
  connect: /^sb_connect$/,
  metrics: /^metric$/,
  next: /^next_/,
  pending: /^(complete|next_forward)$/,
  resize: /^resize$/,
  timers: /^(timer|cancel)$/,
  zones: /^sb_zone/,
};

export const manifest: Check = {
  name: "manifest",
  title: "the manifest fits the functions of the module",
  run(kit) {
    const { prepared, manifest } = kit.subject;
    const exported = new Set(prepared.exports);
    const imported = new Set(prepared.imports);
    const node = manifest.node ?? PLAIN_NODE;
    // What a component has is known when it runs.
    if (!(prepared.code instanceof WebAssembly.Module)) return;
    for (const [call, use] of Object.entries(node.calls)) {
      if (exported.has(`sb_${call}`) || use === "pass") continue;
      throw new Fault(`"calls" says what it does with ${call}, but there is no sb_${call}`);
    }
    if (node.nextReadOnly && exported.has("sb_pwrite") && node.calls.pwrite !== "transform") {
      throw new Fault("it passes writes on to children that it opens read-only");
    }
    if (node.metrics.length > 0 && !imported.has("metric")) {
      throw new Fault(`it declares metrics, but does not import "metric"`);
    }
    if (imported.has("metric") && node.metrics.length === 0) {
      throw new Fault(`it imports "metric", but declares no metrics`);
    }
    noteUnused(kit, exported, imported);
    noteUndescribed(kit);
  },
};

function noteUnused(kit: Kit, exported: Set<string>, imported: Set<string>): void {
  const { manifest } = kit.subject;
  const node = manifest.node ?? PLAIN_NODE;
  for (const feature of node.uses) {
    const functions = FEATURE_FUNCTIONS[feature];
    if (functions === undefined) continue;
    const used = [...exported, ...imported].some((name) => functions.test(name));
    if (!used) kit.notes.push(`it says that it uses "${feature}", but has no function for that`);
  }
  const writes = exported.has("sb_pwrite") || kit.subject.isFilter;
  // What SDKs always export is nothing to tell of.
  const unused = [["sb_trim", writes], ["sb_zero", writes]] as const;
  for (const [name, called] of unused) {
    if (exported.has(name) && !called) kit.notes.push(`nothing ever calls its ${name}`);
  }
  if (node.alignment > 16 && !imported.has("reply_buffer")) {
    kit.notes.push(`it asks for aligned buffers, but does not import "reply_buffer"`);
  }
}

function noteUndescribed({ subject, notes }: Kit): void {
  const { description, parameters } = subject.manifest;
  if (description === "") notes.push("the manifest has no description");
  for (const parameter of parameters) {
    if (parameter.description === "") {
      notes.push(`parameter "${parameter.name}" has no description`);
    }
  }
}
