// SPDX-License-Identifier: MIT
// Configuration files with all that they name: plugins, their parameters, policies.

import type { ExportsOffer } from "../../core/control/options.ts";
import { absolutePath } from "../../core/plugin/path.ts";
import type { Policy } from "../../core/policy/loaded.ts";
import { readFile, TEXT_BYTES_MAX } from "../files.ts";
import { type Config, readConfig } from "./config.ts";
import { Offering } from "./offer.ts";
import type { Fault } from "./read.ts";

/** A file that says something, and the directory that its paths start at. */
export interface ParsedConfig {
  config: Config;
  directory: string;
}

/** What can be served, and findings that are no faults, such as warnings about policies. */
export interface LoadedConfig {
  offer: ExportsOffer;
  warnings: string[];
}

/** The file at `path` with all that it names, or all that is wrong. Throws Error if it is unreadable. */
export function inspectConfig(
  path: string,
): { parsed: ParsedConfig; loaded: LoadedConfig } | { faults: readonly Fault[] } {
  const parsed = parse(path);
  if ("faults" in parsed) return parsed;
  const offering = new Offering(parsed.config, parsed.directory);
  const offer = offering.offer();
  if (offer === null) return { faults: offering.faults };
  return { parsed, loaded: { offer, warnings: offering.warnings } };
}

/** The file at `path` by itself. Throws Error with one sentence about the first thing that is wrong. */
export function parseConfig(path: string): ParsedConfig {
  const parsed = parse(path);
  if ("faults" in parsed) throw refusal(path, parsed.faults);
  return parsed;
}

/** All that `config`, which was read from `path`, names. Throws Error like parseConfig. */
export function loadConfig(path: string, config: Config, directory: string): LoadedConfig {
  const offering = new Offering(config, directory);
  const offer = offering.offer();
  if (offer === null) throw refusal(path, offering.faults);
  return { offer, warnings: offering.warnings };
}

/** The policies of its exports by their names, null for none. Throws Error like parseConfig. */
export function policiesOf(
  path: string,
  config: Config,
  directory: string,
): { policies: Map<string, Policy | null>; warnings: string[] } {
  const offering = new Offering(config, directory);
  const policies = offering.policies();
  if (offering.faults.length > 0) throw refusal(path, offering.faults);
  return { policies, warnings: offering.warnings };
}

/** `disks.yaml:3:7: error: ...` for each fault. */
export function faultLines(path: string, faults: readonly Fault[]): string {
  return faults.map(({ line, column, message }) => {
    return `${path}:${line}:${column}: error: ${message}\n`;
  }).join("");
}

function parse(path: string): ParsedConfig | { faults: readonly Fault[] } {
  const bytes = readFile("configuration", path, TEXT_BYTES_MAX);
  let source: string;
  try {
    source = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { faults: [{ line: 1, column: 1, message: "the file is not text in UTF-8" }] };
  }
  const directory = directoryOf(path);
  const { config, faults } = readConfig(source, directory);
  return config === null ? { faults } : { config, directory };
}

function refusal(path: string, faults: readonly Fault[]): Error {
  const { line, column, message } = faults[0]!;
  const more = faults.length - 1;
  const rest = more === 0
    ? ""
    : ` (and ${more} more; "sandblock config check ${path}" shows all of them)`;
  return new Error(
    `cannot use configuration "${path}": line ${line}, column ${column}: ${message}${rest}`,
  );
}

function directoryOf(path: string): string {
  const whole = absolutePath(Deno.cwd(), path);
  return whole.slice(0, whole.lastIndexOf("/")) || "/";
}
