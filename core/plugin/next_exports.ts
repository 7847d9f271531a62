// SPDX-License-Identifier: MIT
// The exports of a child as a filter gets to know them (ABI, next_list): packed into its memory.

import type { ExportEntry } from "../block/export.ts";
import type { Host } from "./host.ts";

const WORD = 4;

/** The number of `entries` as u32, then for each two lengths as u32, its name and its description. */
export function listBytes(entries: readonly ExportEntry[]): Uint8Array {
  const encoder = new TextEncoder();
  const texts = entries.flatMap(({ name, description }) => [name, description])
    .map((text) => encoder.encode(text));
  const length = WORD + texts.reduce((sum, text) => sum + WORD + text.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  let at = WORD;
  for (let i = 0; i < texts.length; i += 2) {
    const [name, description] = [texts[i]!, texts[i + 1]!];
    view.setUint32(at, name.length, true);
    view.setUint32(at + WORD, description.length, true);
    bytes.set(name, at + 2 * WORD);
    bytes.set(description, at + 2 * WORD + name.length);
    at += 2 * WORD + name.length + description.length;
  }
  return bytes;
}

/** The entries that `listBytes` has packed. */
export function listIn(bytes: Uint8Array): ExportEntry[] {
  const decoder = new TextDecoder();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: ExportEntry[] = [];
  let at = WORD;
  const text = (length: number) => decoder.decode(bytes.subarray(at, at += length));
  for (let left = view.getUint32(0, true); left > 0; left--) {
    const [name, description] = [view.getUint32(at, true), view.getUint32(at + WORD, true)];
    at += 2 * WORD;
    entries.push({ name: text(name), description: text(description) });
  }
  return entries;
}

/** Copies as much of `bytes` as fits to `pointer` in the plugin's memory. Returns the length of all. */
export function giveBytes(
  host: Host,
  call: string,
  bytes: Uint8Array,
  pointer: number,
  capacity: number,
): number {
  const { memory } = host;
  memory.refresh();
  if (memory.contains(pointer, capacity)) {
    memory.bytes.set(bytes.subarray(0, capacity), pointer);
    return bytes.length;
  }
  host.lied(`${call}: ${capacity} bytes at ${pointer} are not in its memory`);
  return 0;
}
