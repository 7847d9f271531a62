// SPDX-License-Identifier: MIT
// Files that the command line itself reads and writes, with errors in our words.

/** What people write, such as rules and configurations, is shorter; a server reads it again while it runs. */
export const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The contents of a file. `what` names it in the error: `plugin`, `manifest`. With `bytesMax` a longer one,
 * or one without end, is refused before it fills the memory.
 */
export function readFile(
  what: string,
  path: string,
  bytesMax = Infinity,
): Uint8Array<ArrayBuffer> {
  try {
    return bytesMax === Infinity ? Deno.readFileSync(path) : readBounded(path, bytesMax);
  } catch (error) {
    throw new Error(`cannot read ${what} "${path}": ${reason(error)}`);
  }
}

function readBounded(path: string, bytesMax: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  const { size, isDirectory } = file.statSync();
  if (isDirectory) throw new Error("Is a directory");
  const tooLong = () => new Error(`it has more than ${bytesMax} bytes`);
  if (size > bytesMax) throw tooLong();
  let bytes = new Uint8Array(size + 1);
  let length = 0;
  while (true) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
    if (length > bytesMax) throw tooLong();
    if (length < bytes.length) continue;
    // A pipe says nothing about its size beforehand.
    const larger = new Uint8Array(Math.min(2 * length + 65536, bytesMax + 1));
    larger.set(bytes);
    bytes = larger;
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
