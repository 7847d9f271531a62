// SPDX-License-Identifier: MIT
// Errors of the command line and how they are shown: one line on stderr that says what, where and
// what would be right. A stack trace is for -v only.

/** The command line itself is wrong. Where the message does not say what would be right, a help does. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  /** `help` is the command line that prints the help. */
  constructor(message: string, readonly help = "sandblock serve --help") {
    super(message);
  }
}

/** Exit status of a failure or of wrong usage. */
export const EXIT_FAILURE = 1;

/** The lines that tell of `error`; `verbose` adds the stack trace. */
export function describeError(error: unknown, verbose: boolean): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const lines = [`sandblock: error: ${oneLine(message)}${whereHelpIs(error)}`];
  if (verbose && error instanceof Error && error.stack) lines.push(error.stack);
  return lines.join("\n") + "\n";
}

/** What stands behind a semicolon says what would be right. */
function whereHelpIs(error: unknown): string {
  if (!(error instanceof UsageError) || error.message.includes("; ")) return "";
  return `; see "${error.help}"`;
}

/** Control characters in quoted user input must not break the line or the terminal. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
