// SPDX-License-Identifier: MIT
// `--help` of a command, from its declaration: usage, what it does, options by group, man page.

import {
  type Command,
  type CommandDeclaration,
  findCommand,
  type OptionDeclaration,
  synopsis,
} from "./declaration.ts";
import { columns, fill, HELP_WIDTH, usageLines } from "./text.ts";

/** Column in which the explanations start. */
const COLUMN = 30;

/** A command's options by group, in order of declaration. */
export function optionGroups(declaration: CommandDeclaration): Map<string, OptionDeclaration[]> {
  const groups = new Map<string, OptionDeclaration[]>();
  for (const option of Object.values(declaration.options)) {
    const group = groups.get(option.group);
    if (group) group.push(option);
    else groups.set(option.group, [option]);
  }
  return groups;
}

/**
 * The text of `--help` of the command that `path` (words with spaces) leads to from `root`, newline
 * at the end.
 */
export function helpText(root: Command, path: string): string {
  const declaration = findCommand(root, path.split(" ").slice(1))!;
  const lines = [...usageLines(synopsis(path, declaration)), ""];
  lines.push(...fill(declaration.description[0]!, HELP_WIDTH));
  const operands = (declaration.arguments ?? []).map(({ name, help }) => [name, help] as const);
  if (operands.length > 0) lines.push("", "Arguments", ...columns(operands, COLUMN));
  const children = (declaration.commands ?? []).map((c) => [c.name, c.summary] as const);
  if (children.length > 0) lines.push("", "Commands", ...columns(children, COLUMN));
  for (const [group, options] of optionGroups(declaration)) {
    const rows = options.filter((option) => !option.quiet).map(row);
    if (rows.length > 0) lines.push("", group, ...columns(rows, COLUMN));
  }
  lines.push(...exampleLines(declaration));
  const page = pagePath(root, path);
  const [program, ...topic] = page;
  const command = [program, "man", ...topic].join(" ");
  lines.push("", `The manual is ${page.join("-")}(1), also printed by "${command}"`);
  return lines.join("\n") + "\n";
}

function exampleLines({ examples = [] }: CommandDeclaration): string[] {
  if (examples.length === 0) return [];
  const lines = examples.flatMap(({ text, command }) => [
    ...fill(text, HELP_WIDTH, 2),
    `      ${command}`,
  ]);
  return ["", "Examples", ...lines];
}

/** Words that lead to the nearest command with a manual page. */
function pagePath(root: Command, path: string): string[] {
  const words = path.split(" ");
  while (words.length > 1 && !findCommand(root, words.slice(1))?.ownPage) words.pop();
  return words;
}

function row(option: OptionDeclaration): [string, string] {
  const short = option.short ? `-${option.short}, ` : "    ";
  const value = option.value ? `=${option.value}` : "";
  const byDefault = option.default ? ` (default: ${option.default})` : "";
  return [`${short}--${option.long}${value}`, option.help + byDefault];
}
