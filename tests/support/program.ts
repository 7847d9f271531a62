// SPDX-License-Identifier: MIT
// The program under test: dist/sandblock, or what the variable SANDBLOCK names (an executable, or
// cli/main.ts to test the sources).

const ROOT = new URL("../../", import.meta.url).pathname;

/** The command that runs sandblock. Throws Error where there is none. */
export function sandblock(): string[] {
  const path = Deno.env.get("SANDBLOCK") ?? `${ROOT}dist/sandblock`;
  try {
    if (Deno.statSync(path).isFile) return path.endsWith(".ts") ? fromSource(path) : [path];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new Error(`cannot test "${path}": it is missing; run deno task build`);
}

function fromSource(path: string): string[] {
  return [Deno.execPath(), "run", "--quiet", "-A", "--config", `${ROOT}deno.json`, path];
}
