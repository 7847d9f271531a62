// SPDX-License-Identifier: MIT
// Standard output and error of the command line: everything is written, or it is an error.

import { reason } from "./files.ts";

const encoder = new TextEncoder();

/** Prints `text` on standard output. Throws Deno.errors.BrokenPipe when its reader has gone. */
export function print(text: string): void {
  write(Deno.stdout, encoder.encode(text));
}

/** Prints `bytes` on standard output. */
export function printBytes(bytes: Uint8Array): void {
  write(Deno.stdout, bytes);
}

/**
 * Prints `text` on standard error, if that can be: a reader or terminal that has gone, or a full disk, must
 * not take a server with it that wants to log something.
 */
export function printError(text: string): void {
  try {
    write(Deno.stderr, encoder.encode(text));
  } catch {
    // There is nowhere else to say so.
  }
}

function write(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    throw new Error(`cannot write what was asked for: ${reason(error)}`);
  }
}
