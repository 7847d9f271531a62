// SPDX-License-Identifier: MIT
// Strings of the protocol (proto.md "Conventions"): UTF-8 without NUL, at most 4096 bytes.

import { STRING_MAX } from "./wire.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string in `bytes`; null where it is too long, has a NUL or is not UTF-8. */
export function decodeString(bytes: Uint8Array): string | null {
  if (bytes.length > STRING_MAX) return null;
  if (bytes.includes(0)) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * `text` in UTF-8, cut before the character that would go beyond 4096 bytes or that is NUL. For
 * texts that people read; an export name must not be cut (see `encodeName`).
 */
export function encodeText(text: string): Uint8Array {
  const nul = text.indexOf("\0");
  const bytes = new Uint8Array(Math.min(STRING_MAX, text.length * 3));
  const { written } = encoder.encodeInto(nul < 0 ? text : text.slice(0, nul), bytes);
  return bytes.subarray(0, written);
}

/** `name` in UTF-8; null where the protocol has no way to say it. */
export function encodeName(name: string): Uint8Array | null {
  if (name.length > STRING_MAX || name.includes("\0") || !name.isWellFormed()) return null;
  const bytes = encoder.encode(name);
  return bytes.length > STRING_MAX ? null : bytes;
}
