// SPDX-License-Identifier: MIT
// The files that servers serve.

const CHUNK = 2 ** 20;

/** Makes `path` of `size` bytes that do not compress, and waits until the disk has them. */
export function makeFile(path: string, size: number): void {
  const chunk = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) crypto.getRandomValues(chunk.subarray(at, at + 65536));
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (let written = 0; written < size;) {
    const left = Math.min(CHUNK, size - written);
    written += file.writeSync(chunk.subarray(0, left));
  }
  file.syncSync();
}
