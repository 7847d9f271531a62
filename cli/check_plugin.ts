// SPDX-License-Identifier: MIT
// What `plugin check` does: finds the plugin, has it checked, and prints what came of it.

import { CHECKS } from "../core/check/checks.ts";
import { resultText, summaryText } from "../core/check/report.ts";
import { WRITES, type Writes } from "../core/check/subject.ts";
import { checkPlugin, type ThreadOptions } from "../core/check/thread.ts";
import { ParameterError } from "../core/plugin/errors.ts";
import { PLAIN_NODE } from "../core/plugin/manifest_node.ts";
import { parseParameters } from "../core/plugin/parameters.ts";
import { preparePlugin } from "../core/plugin/prepare.ts";
import { didYouMean } from "../core/plugin/suggest.ts";
import { EXIT_FAILURE, UsageError } from "./errors.ts";
import { readFile } from "./files.ts";
import { print } from "./output.ts";
import { Allowances } from "./serve/allow.ts";
import { findPlugin, type Source, withReason } from "./plugins.ts";

const HELP = "sandblock plugin check --help";

/** Options as they were given. */
export interface CheckCommandOptions {
  writes?: string;
  skip?: string[];
  operations?: string;
  seed?: string;
  image?: string;
  children?: string;
  timeout?: string;
  allow?: string[];
  json?: boolean;
}

/** Checks the plugin that `name` stands for; the exit status. Throws Error with one sentence. */
export async function checkCommand(
  name: string,
  parameters: readonly string[],
  options: CheckCommandOptions,
): Promise<number> {
  const source = findPlugin(name);
  if (source.kind === "backend") {
    throw new Error(`cannot check "${name}": it is no plugin but a part of sandblock`);
  }
  // What cannot be served is refused with the sentence of serve.
  withReason(name, () => preparePlugin(source.bytes));
  const asked = askedOf(name, source, parameters, options);
  const report = await checkPlugin(asked, (result) => {
    if (!options.json) print(resultText(result));
  });
  print(options.json ? `${JSON.stringify(report, null, 2)}\n` : summaryText(report));
  return report.passed ? 0 : EXIT_FAILURE;
}

function askedOf(
  name: string,
  source: Source & { kind: "plugin" },
  parameters: readonly string[],
  options: CheckCommandOptions,
): ThreadOptions {
  const { writes = "keep", image, children } = options;
  const { minimum, maximum } = source.manifest.node?.children ?? PLAIN_CHILDREN;
  const count = children === undefined ? null : number("children", children, minimum, maximum);
  if (image !== undefined && maximum === 0) {
    throw new UsageError(`cannot use --image: "${name}" is a plugin, below which nothing is`, HELP);
  }
  const allow = new Allowances(options.allow);
  const grants = allow.of(name, source.manifest, true, source.path === null);
  allow.checkNames();
  return {
    bytes: source.bytes,
    grants,
    values: values(name, source, parameters),
    writes: oneOf("writes", writes, WRITES) as Writes,
    seed: number("seed", options.seed ?? "1", 1, 0xffffffff),
    operations: number("operations", options.operations ?? "400", 1, 100_000_000),
    skip: (options.skip ?? []).map((one) => oneOf("skip", one, CHECKS.map((check) => check.name))),
    image: image === undefined ? null : readFile("image", image),
    children: count,
    timeoutMs: number("plugin-timeout", options.timeout ?? "5", 1, 3600) * 1000,
  };
}

const PLAIN_CHILDREN = PLAIN_NODE.children ?? { minimum: 0, maximum: 0 };

function values(name: string, { manifest }: Source, parameters: readonly string[]) {
  try {
    return parseParameters(manifest.parameters, parameters);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(error.message, `sandblock serve --help ${name}`);
  }
}

function number(option: string, text: string, minimum: number, maximum: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= minimum && value <= maximum) return value;
  throw new UsageError(
    `cannot use --${option}=${text}: it must be a number from ${minimum} to ${maximum}`,
    HELP,
  );
}

function oneOf(option: string, text: string, words: readonly string[]): string {
  if (words.includes(text)) return text;
  const right = didYouMean(text, words) || `; use one of ${words.join(", ")}`;
  throw new UsageError(`cannot use --${option}=${text}: there is no "${text}"${right}`, HELP);
}
