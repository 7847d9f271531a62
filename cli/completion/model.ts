// SPDX-License-Identifier: MIT
// What the completion scripts of all shells are generated from: commands by path, and plugins with
// their parameters.

import { type Command, type OptionDeclaration, spellings } from "../declare/declaration.ts";
import type { Manifest } from "../../core/plugin/manifest.ts";

/** See the top of this file. */
export interface CompletionModel {
  /** Every command with its full path, parents before children. */
  commands: { path: string; command: Command }[];
  plugins: Manifest[];
}

/** The model for a command tree. */
export function completionModel(root: Command, plugins: Manifest[]): CompletionModel {
  return { commands: [...walk(root, root.name)], plugins };
}

function* walk(command: Command, path: string): Generator<{ path: string; command: Command }> {
  yield { path, command };
  for (const child of command.commands ?? []) yield* walk(child, `${path} ${child.name}`);
}

/** Spellings of an option that start with one dash, and those that start with two. */
export function dashes(option: OptionDeclaration): { short: string[]; long: string[] } {
  const all = spellings(option);
  return {
    short: all.filter((spelling) => !spelling.startsWith("--")),
    long: all.filter((spelling) => spelling.startsWith("--")),
  };
}

/** A word in single quotes of a POSIX shell, zsh or fish script. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
