// SPDX-License-Identifier: MIT
// Files that the command line itself reads and writes, with errors in our words.

/** The contents of a file. `what` names it in the error: `plugin`, `manifest`. */
export function readFile(what: string, path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${what} "${path}": ${reason(error)}`);
  }
}

/** Writes a file, replacing what it held. */
export function writeFile(what: string, path: string, contents: Uint8Array | string): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  try {
    Deno.writeFileSync(path, bytes);
  } catch (error) {
    throw new Error(`cannot write ${what} "${path}": ${reason(error)}`);
  }
}

/** What the system said, without the runtime's additions: `No such file or directory`. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^(.*?) \(os error \d+\)/.exec(message)?.[1] ?? message;
}
