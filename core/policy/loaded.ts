// SPDX-License-Identifier: MIT
// A policy ready to be used, made from rules or from a module. It can be sent to other threads.

import { PluginError } from "../plugin/errors.ts";
import { oneLine } from "../plugin/text.ts";
import { compile } from "./compile.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { PolicyError } from "./diagnostic.ts";
import { readPolicyManifest } from "./manifest.ts";
import { analyze } from "./policy_source.ts";
import type { Condition, Program } from "./program.ts";
import { type Verified, verifyPolicy } from "./verify.ts";

/** See the top of this file. */
export interface Policy {
  /** Where it comes from, for messages. */
  name: string;
  module: WebAssembly.Module;
  bytes: Uint8Array<ArrayBuffer>;
  /** What the bits of the context stand for. */
  conditions: Condition[];
  /** Why something was decided, by the number in a verdict. */
  reasons: string[];
  timezone: "utc" | "local";
  /** It knows the commands that came with ABI 3.2; others are refused without it being asked. */
  knowsLater: boolean;
  verified: Verified;
  /** The rules; null for a policy that is a module. */
  program: Program | null;
}

/** A policy and what there is to say about it. */
export interface LoadedPolicy {
  policy: Policy;
  /** Warnings. */
  diagnostics: Diagnostic[];
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/**
 * Loads a policy from the contents of a file: rules as text, or a module. Throws PolicyError for
 * rules that are wrong, PluginError for a module that cannot be accepted.
 */
export function loadPolicy(bytes: Uint8Array, name: string): LoadedPolicy {
  if (isModule(bytes)) return { policy: moduleOf(bytes, name, null), diagnostics: [] };
  const { program, diagnostics } = analyze(sourceOf(bytes));
  if (!program) throw new PolicyError(diagnostics);
  // What was compiled is checked like any other module: two programs would have to be wrong.
  return { policy: moduleOf(compile(program, "rules").bytes, name, program), diagnostics };
}

/** Whether a file is a module rather than rules. */
export function isModule(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/** The text of rules. Throws PolicyError where it is not UTF-8. */
export function sourceOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const message = "the file is neither text in UTF-8 nor a WebAssembly module";
    throw new PolicyError([{ severity: "error", line: 1, column: 1, message }]);
  }
}

function moduleOf(source: Uint8Array, name: string, program: Program | null): Policy {
  const bytes = new Uint8Array(source);
  const verified = verifyPolicy(bytes);
  const { conditions, reasons, timezone, knowsLater } = readPolicyManifest(bytes);
  const module = new WebAssembly.Module(bytes);
  try {
    // Data that lies outside of its memory only shows now.
    new WebAssembly.Instance(module);
  } catch (error) {
    throw new PluginError(`it cannot be instantiated: ${oneLine((error as Error).message)}`);
  }
  return { name, module, bytes, conditions, reasons, timezone, knowsLater, verified, program };
}
