// SPDX-License-Identifier: MIT
// From declarations to a commander program, which knows getopt's forms (-p10810, -U -, -fv, --x=y,
// options after operands, --), and from its complaints to sentences of ours.

import { Command as Program, type CommanderError, Option } from "commander";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { UsageError } from "../errors.ts";
import {
  type Command,
  type Invocation,
  type OptionDeclaration,
  type OptionTable,
  spellings,
} from "./declaration.ts";

/** What a command line asks for. */
export interface Parsed {
  /** Full path of the command, as `sandblock plugin show`. */
  path: string;
  command: Command;
  invocation: Invocation;
}

/** Parses the words after the program's name. Throws UsageError. */
export function parseCommandLine(root: Command, words: readonly string[]): Parsed {
  let command = root;
  let path = root.name;
  let rest = words;
  // Only the command that runs is built: building all of them takes longer than everything else.
  while (command.commands && rest.length > 0 && !rest[0]!.startsWith("-")) {
    command = childOf(command, rest[0]!, path);
    path += ` ${command.name}`;
    rest = rest.slice(1);
  }
  return { path, command, invocation: parseWords(command, path, rest) };
}

function childOf(parent: Command, name: string, path: string): Command {
  const child = parent.commands!.find((command) => command.name === name);
  if (child) return child;
  const names = parent.commands!.map((command) => command.name);
  const right = didYouMean(name, names) || `; the commands are ${names.join(", ")}`;
  throw new UsageError(
    `cannot run command "${name}": there is no such command${right}`,
    `${path} --help`,
  );
}

function parseWords(command: Command, path: string, words: readonly string[]): Invocation {
  const program = new Program(command.name);
  program.helpOption(false).configureOutput({ outputError: () => {} });
  program.exitOverride((error) => {
    throw new UsageError(explain(error, command, path), `${path} --help`);
  });
  const values: Record<string, string | string[] | boolean> = {};
  for (const [key, option] of Object.entries(command.options)) {
    for (const flag of flagsOf(option)) declare(program, flag, option, key, values);
  }
  // How many operands there must be depends on the options, so run.ts checks it.
  program.argument("[operands...]").action(() => {});
  program.parse([...words], { from: "user" });
  return { values, operands: program.args };
}

/** Commander takes one short and one long spelling at a time; the others become options beside. */
function flagsOf(option: OptionDeclaration): string[] {
  const main = option.short ? `-${option.short}, --${option.long}` : `--${option.long}`;
  return [main, ...option.aliases ?? []];
}

function declare(
  program: Program,
  flags: string,
  declaration: OptionDeclaration,
  key: string,
  values: Record<string, string | string[] | boolean>,
): void {
  const option = new Option(declaration.value ? `${flags} <value>` : flags);
  program.addOption(option);
  program.on(`option:${option.name()}`, (text: string | null) => {
    if (!declaration.repeated) values[key] = text ?? true;
    else values[key] = [...(values[key] as string[] | undefined ?? []), text!];
  });
}

/** Our sentence for what commander found wrong. */
function explain(error: CommanderError, command: Command, path: string): string {
  const [, quoted = ""] = /'([^']*)'/.exec(error.message) ?? [];
  if (error.code === "commander.unknownOption") {
    return explainUnknownOption(quoted, command.options);
  }
  if (error.code === "commander.optionMissingArgument") {
    const flags = quoted.replace(/ <value>$/, "");
    const option = Object.values(command.options).find((o) => flagsOf(o).includes(flags))!;
    return `cannot use option "--${option.long}": it needs a value; ` +
      `write --${option.long}=${option.value}`;
  }
  return `cannot understand the command line of "${path}": ${
    error.message.replace(/^error: /, "")
  }`;
}

function explainUnknownOption(flag: string, options: OptionTable): string {
  const known = Object.values(options).flatMap(spellings);
  const [name = flag] = flag.split("=", 1);
  if (flag.includes("=") && known.includes(name)) {
    return `cannot use option "${flag}": "${name}" takes no value`;
  }
  // Every other letter is as near to a letter.
  const right = /^-.$/.test(name) ? "" : didYouMean(name, known);
  return `cannot use option "${name}": there is no such option${right}`;
}
