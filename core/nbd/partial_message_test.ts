// SPDX-License-Identifier: MIT
// Parts of messages out of bytes as they come.

import assert from "node:assert/strict";
import { PartialMessage } from "./partial_message.ts";

const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);

Deno.test("part is collected from pieces of any size", () => {
  for (const step of [1, 7, 64, 299, 300]) {
    const message = new PartialMessage();
    message.expect(200);
    let at = 0;
    while (!message.complete) at += message.take(bytes.subarray(0, at + step), at);
    assert.equal(at, 200);
    assert.deepEqual(message.part, bytes.subarray(0, 200));
  }
});

Deno.test("part of no length is complete at once", () => {
  const message = new PartialMessage();
  message.expect(0);
  assert.ok(message.complete);
  assert.equal(message.part.length, 0);
});

Deno.test("announced length alone takes no memory", () => {
  const message = new PartialMessage();
  message.expect(1 << 30);
  message.take(bytes, 0);
  assert.ok(message.part.buffer.byteLength < 1000);
});

Deno.test("skipped part is empty and leaves the next one alone", () => {
  const message = new PartialMessage();
  message.skip(250);
  assert.equal(message.take(bytes, 0), 250);
  assert.ok(message.complete);
  assert.equal(message.part.length, 0);
  message.expect(2);
  message.take(bytes, 250);
  assert.deepEqual([...message.part], [250, 251]);
});
