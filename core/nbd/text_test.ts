// SPDX-License-Identifier: MIT
// Strings of the protocol: what is one, and where texts are cut.

import assert from "node:assert/strict";
import { decodeString, encodeName, encodeText } from "./text.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("string is UTF-8 of at most 4096 bytes without NUL", () => {
  assert.equal(decodeString(bytes()), "");
  assert.equal(decodeString(bytes(0xe2, 0x82, 0xac)), "€");
  assert.equal(decodeString(new Uint8Array(4096).fill(0x61))?.length, 4096);
  assert.equal(decodeString(new Uint8Array(4097).fill(0x61)), null);
  assert.equal(decodeString(bytes(0x61, 0, 0x62)), null);
  assert.equal(decodeString(bytes(0xc0, 0x80)), null);
  assert.equal(decodeString(bytes(0xed, 0xa0, 0x80)), null);
});

Deno.test("byte order mark is part of a string", () => {
  assert.equal(decodeString(bytes(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
});

Deno.test("text is cut at a character boundary", () => {
  assert.equal(encodeText("€".repeat(2000)).length, 4095);
  assert.equal(encodeText("x".repeat(5000)).length, 4096);
  assert.equal(decodeString(encodeText("𝄞".repeat(2000))), "𝄞".repeat(1024));
});

Deno.test("text ends before NUL", () => {
  assert.equal(decodeString(encodeText("a\0b")), "a");
});

Deno.test("name is never changed: it is encoded whole or not at all", () => {
  assert.deepEqual(encodeName("ü"), bytes(0xc3, 0xbc));
  assert.equal(encodeName("x".repeat(4096))?.length, 4096);
  assert.equal(encodeName("x".repeat(4097)), null);
  assert.equal(encodeName("€".repeat(1366)), null);
  assert.equal(encodeName("a\0"), null);
  assert.equal(encodeName("\udc00"), null);
});
