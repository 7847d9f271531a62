// SPDX-License-Identifier: MIT
// Other people's programs. A test that needs one which is missing fails and says so: a test that
// silently does nothing is worse than none.

import { peerCommand } from "../peers.ts";

/** Of the installed Debian, and of a newer one that is unpacked aside. */
export const GENERATIONS = ["installed", "newer"] as const;
export type Generation = typeof GENERATIONS[number];

/** The command of a program. Throws Error that says what is missing. */
export function requires(program: string, which: Generation = "installed"): string[] {
  const command = peerCommand(program, which);
  try {
    if (Deno.statSync(command[0]!).isFile) return command;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new Error(
    `cannot test with "${program}" (${which}): it is missing; run deno run -A tests/peers.ts`,
  );
}

/** Words of a command for a shell. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
