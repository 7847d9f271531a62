// SPDX-License-Identifier: MIT
// Bytes that tests write and look for again.

/** `length` bytes that look random and are the same each time for one seed (xorshift32). */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 >>> 0) || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** `length` times one byte. */
export function filled(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

/** All of them, one after the other. */
export function concatenated(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The SHA-256 of bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Fails where two runs of bytes differ, saying where; printing them would help nobody. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} bytes instead of ${expected.length}`);
  }
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  if (at >= 0) throw new Error(`byte ${at} is ${actual[at]} instead of ${expected[at]}`);
}
