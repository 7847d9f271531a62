// SPDX-License-Identifier: MIT
// Standard output and error of the command line. Writes everything, and ends quietly when the reader
// of a pipe has gone (`sandblock --help | head -1`).

const encoder = new TextEncoder();

/** Prints `text` on standard output. */
export function print(text: string): void {
  write(Deno.stdout, encoder.encode(text));
}

/** Prints `bytes` on standard output. */
export function printBytes(bytes: Uint8Array): void {
  write(Deno.stdout, bytes);
}

/** Prints `text` on standard error. */
export function printError(text: string): void {
  write(Deno.stderr, encoder.encode(text));
}

function write(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    if (to === Deno.stdout) Deno.exit(0);
  }
}
