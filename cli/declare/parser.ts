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
  let parsed: Parsed | null = null;
  const program = build(root, root.name, (found) => parsed = found);
  program.parse([...words], { from: "user" });
  if (!parsed) throw new TypeError("No command ran");
  return parsed;
}

function build(command: Command, path: string, found: (parsed: Parsed) => void): Program {
  const program = new Program(command.name);
  program.helpOption(false).helpCommand(false).enablePositionalOptions();
  program.allowExcessArguments(true).configureOutput({ outputError: () => {} });
  program.exitOverride((error) => {
    throw new UsageError(explain(error, command, path), `${path} --help`);
  });
  const values: Record<string, string | string[] | boolean> = {};
  for (const [key, option] of Object.entries(command.options)) {
    for (const flag of flagsOf(option)) declare(program, flag, option, key, values);
  }
  // Required operands are checked by the commands, after --help had its turn.
  program.argument("[operands...]");
  program.action((operands: string[]) => {
    if (command.commands) checkSubcommand(operands[0], command, path);
    found({ path, command, invocation: { values, operands } });
  });
  for (const child of command.commands ?? []) {
    program.addCommand(build(child, `${path} ${child.name}`, found));
  }
  return program;
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
  return `cannot use option "${name}": there is no such option${didYouMean(name, known)}`;
}

function checkSubcommand(name: string | undefined, command: Command, path: string): void {
  if (name === undefined) return;
  const names = command.commands!.map((child) => child.name);
  const right = didYouMean(name, names) || `; the commands are ${names.join(", ")}`;
  throw new UsageError(
    `cannot run command "${name}": there is no such command${right}`,
    `${path} --help`,
  );
}
