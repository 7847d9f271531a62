// SPDX-License-Identifier: MIT
// Text that comes from a plugin, made fit for a log line or an error message.

/** Longest text that is taken from a plugin at a time, in bytes. NBD's limit for strings. */
export const TEXT_BYTES_MAX = 4096;

const lenient = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });

/** Longest text of somebody else's within a message, in characters. */
const QUOTED_LENGTH_MAX = 200;

/** `bytes` as UTF-8 in one line. */
export function printable(bytes: Uint8Array): string {
  return oneLine(lenient.decode(bytes));
}

/** `text` with what is not printable escaped, so that it cannot forge other lines. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return " ";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** `text` in quotes, in one line, cut where it is too long for a message. */
export function quoted(text: string): string {
  const cut = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}...` : text;
  return oneLine(JSON.stringify(cut));
}

/** `bytes` as a name; null where they are not UTF-8 or contain NUL. */
export function exportName(bytes: Uint8Array): string | null {
  try {
    const name = strict.decode(bytes);
    return name.includes("\0") ? null : name;
  } catch {
    return null;
  }
}

/** Where to cut `bytes` so that at most `max` are left and no character is torn apart. */
export function cutAt(bytes: Uint8Array, max: number): number {
  let end = Math.min(bytes.length, max);
  while (end > 0 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
  return end;
}
