// SPDX-License-Identifier: MIT
// Policies as files: loads them, and tells of what is wrong in them line by line.

import { type Diagnostic, PolicyError } from "../../core/policy/diagnostic.ts";
import { type LoadedPolicy, loadPolicy } from "../../core/policy/loaded.ts";
import { PluginError } from "../../core/plugin/errors.ts";
import { readFile, TEXT_BYTES_MAX } from "../files.ts";

/** The policy in a file. Throws Error with one sentence about the first thing that is wrong. */
export function readPolicy(path: string): LoadedPolicy {
  try {
    return loadPolicy(readFile("policy", path, TEXT_BYTES_MAX), path);
  } catch (error) {
    if (!(error instanceof PolicyError) && !(error instanceof PluginError)) throw error;
    throw new Error(`cannot use policy "${path}": ${error.message}`);
  }
}

/** The policy in a file, or all that is wrong with its rules. Throws Error for other failures. */
export function inspectPolicy(path: string): LoadedPolicy | { errors: readonly Diagnostic[] } {
  const bytes = readFile("policy", path, TEXT_BYTES_MAX);
  try {
    return loadPolicy(bytes, path);
  } catch (error) {
    if (error instanceof PolicyError) return { errors: error.diagnostics };
    if (!(error instanceof PluginError)) throw error;
    throw new Error(`cannot use policy "${path}": ${error.message}`);
  }
}

/** `rules.policy:3:7: error: ...` for each finding. */
export function findingLines(path: string, diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(({ line, column, severity, message }) => {
    return `${path}:${line}:${column}: ${severity}: ${message}\n`;
  }).join("");
}
