// SPDX-License-Identifier: MIT
// Reading, writing and queueing of bytes.

import assert from "node:assert/strict";
import { ByteQueue, ByteReader, ByteWriter } from "./bytes.ts";

Deno.test("reader gives back what the writer wrote", () => {
  const writer = new ByteWriter(1).u16(0xfedc).u32(0xfedcba98).u64(1n << 63n).halves(1, 2);
  const reader = new ByteReader(writer.bytes(new Uint8Array([7])).zeroes(2).finish());
  assert.deepEqual([reader.u16(), reader.u32(), reader.u64()], [0xfedc, 0xfedcba98, 1n << 63n]);
  assert.equal(reader.u64(), 0x100000002n);
  assert.deepEqual([...reader.bytes(3)], [7, 0, 0]);
  assert.deepEqual([reader.left, reader.failed], [0, false]);
});

Deno.test("reading beyond the end gives nothing, then and afterwards", () => {
  const reader = new ByteReader(new Uint8Array([1, 2, 3]));
  assert.equal(reader.u32(), 0);
  assert.ok(reader.failed);
  assert.equal(reader.u16(), 0);
  assert.equal(reader.bytes(1).length, 0);
});

Deno.test("queue keeps bytes in order through growth and reuse", () => {
  const queue = new ByteQueue();
  let written = 0;
  let read = 0;
  for (let round = 1; round < 200; round++) {
    queue.push(Uint8Array.from({ length: round }, () => written++ & 0xff));
    const length = Math.min(queue.length, round % 7 === 0 ? queue.length : 50);
    for (const byte of queue.take(length)) assert.equal(byte, read++ & 0xff);
  }
  assert.equal(queue.length, written - read);
  assert.equal(queue.peek(queue.length + 1), null);
  assert.throws(() => queue.take(queue.length + 1), RangeError);
});
