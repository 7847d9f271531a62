// SPDX-License-Identifier: MIT
// Whether a command line is going to need a reactor's thread, which takes as long to start as the rest
// of the program: told before the command line is understood. A wrong guess costs time only.

/**
 * Whether this process, which may be the one in the background, is likely to serve something itself. The
 * text of this function is part of the loader (build.ts), so it uses nothing but its arguments.
 */
export function willServe(words: readonly string[], isInBackground: boolean): boolean {
  const [command, ...others] = words;
  const has = (...options: string[]) => others.some((word) => options.includes(word));
  if (command === "serve") return isInBackground || !has("--fork");
  // With these `attach` has no reactor, or has something to do before there are further threads.
  const without = /^(nbds?(\+\w+)?:|--swap$|--writeback$)/i;
  if (command !== "attach" || others.some((word) => without.test(word))) return false;
  return isInBackground || has("-f", "--foreground");
}
