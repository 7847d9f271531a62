// SPDX-License-Identifier: MIT
// What `config check` does.

import { EXIT_FAILURE } from "../errors.ts";
import { print, printError } from "../output.ts";
import type { Config, ConfigExport, ConfigNode } from "./config.ts";
import { faultLines, inspectConfig } from "./load.ts";

/** Checks the configuration at `path` and says what it serves; the exit status. */
export function checkConfigFile(path: string): number {
  const found = inspectConfig(path);
  if ("faults" in found) {
    printError(faultLines(path, found.faults));
    return EXIT_FAILURE;
  }
  for (const warning of found.loaded.warnings) printError(`${warning}\n`);
  print(summary(path, found.parsed.config).map((line) => `${line}\n`).join(""));
  return 0;
}

function summary(path: string, config: Config): string[] {
  const { exports, values } = config;
  const count = exports.length === 1 ? "1 export" : `${exports.length} exports`;
  const places = [...values.unix ?? [], ...values.listen ?? []];
  const where = places.length === 0 ? "where options say" : `at ${places.join(" and ")}`;
  return [
    `${path}: ${count}, listening ${where}`,
    ...exports.map((one) => exportLine(one, config.defaultExport)),
  ];
}

function exportLine(
  { name, readOnly, policy, node }: ConfigExport,
  byDefault: string | null,
): string {
  const facts = [
    ...name === byDefault ? ["default"] : [],
    ...readOnly ? ["read-only"] : [],
    ...policy === undefined ? [] : [`policy ${policy.text}`],
  ];
  const more = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return `  "${name}"${more}: ${nodeText(node)}`;
}

/** As on a command line: `cow [ file file=a.img ]`. */
function nodeText({ plugin, parameters, children }: ConfigNode): string {
  const words = parameters.map(({ name, value }) => ` ${name}=${value.text}`);
  const below = children.map((child) => ` [ ${nodeText(child)} ]`);
  return [plugin.text, ...words, ...below].join("");
}
