// SPDX-License-Identifier: MIT
// The environment as the user gave it. The self-running executable hides some variables from Deno
// and sets others (build.ts); programs that sandblock starts must not notice that.

/**
 * The variables that this process was started with, from /proc/self/environ. Give it to
 * Deno.Command together with `clearEnv`. Bytes that are not UTF-8 are replaced by U+FFFD.
 */
export function userEnvironment(): Record<string, string> {
  const text = new TextDecoder().decode(Deno.readFileSync("/proc/self/environ"));
  return Object.fromEntries(
    text.split("\0").flatMap((entry) => {
      const equals = entry.indexOf("=", 1);
      return equals < 0 ? [] : [[entry.slice(0, equals), entry.slice(equals + 1)]];
    }),
  );
}
