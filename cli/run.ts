// SPDX-License-Identifier: MIT
// Runs a command line: parse, --help, check of operands, the command itself, errors as one line.

import { root } from "./commands/root.ts";
import type { Command } from "./declare/declaration.ts";
import { helpText } from "./declare/help.ts";
import { parseCommandLine, type Parsed } from "./declare/parser.ts";
import { describeError, EXIT_FAILURE, UsageError } from "./errors.ts";
import { print, printError } from "./output.ts";

/** Runs the command that `words` (after the program's name) ask for; its exit status. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let verbose = false;
  try {
    const parsed = parseCommandLine(root, words);
    verbose = parsed.invocation.values["verbose"] === true;
    return await runParsed(parsed);
  } catch (error) {
    // Whoever read the output has seen enough: `sandblock --help | head -1`.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    printError(describeError(error, verbose));
    return EXIT_FAILURE;
  }
}

async function runParsed({ path, command, invocation }: Parsed): Promise<number> {
  const { values, operands } = invocation;
  if (values["help"]) {
    print(command.helpOn?.(operands) ?? helpText(root, path));
    return 0;
  }
  checkOperands(path, command, operands);
  const status = await command.run?.(invocation, root) ?? -1;
  if (status >= 0) return status;
  const names = command.commands?.map((child) => child.name).join(", ");
  throw new UsageError(
    `cannot run "${path}" without a command: the commands are ${names}`,
    `${path} --help`,
  );
}

function checkOperands(path: string, command: Command, operands: readonly string[]): void {
  const declared = command.arguments ?? [];
  const missing = declared.slice(operands.length).find((argument) => argument.required);
  if (missing && !command.lenient) {
    throw new UsageError(
      `cannot run "${path}" without ${missing.name}: it is required`,
      `${path} --help`,
    );
  }
  if (declared.at(-1)?.variadic || operands.length <= declared.length) return;
  const excess = operands[declared.length]!;
  const most = ["no arguments", "one argument"][declared.length] ?? `${declared.length} arguments`;
  throw new UsageError(
    `cannot use argument "${excess}": "${path}" takes ${most}`,
    `${path} --help`,
  );
}
