// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { assertSameBytes } from "../../tests/support/bytes.ts";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { lateLibc, libc } from "../../native/libc.ts";
import { BufferPool } from "./buffer_pool.ts";
import { Gather } from "./gather.ts";
import { InflightRequest } from "./inflight_request.ts";
import { ReplyArena } from "./reply_arena.ts";
import { TestMemory } from "./test_memory.ts";

function socketPair(): [number, number] {
  const fds = new Int32Array(2);
  assert.equal(lateLibc.socketpair(1, 1, 0, new Uint8Array(fds.buffer)), 0);
  fds.forEach(setNonBlocking);
  return [fds[0]!, fds[1]!];
}

function setUp(size = 8 << 20) {
  const memory = new TestMemory(size);
  for (let i = 0; i < size; i++) memory.bytes[i] = i * 31 + (i >> 8);
  const pool = new BufferPool(memory, size);
  const arena = new ReplyArena(pool, 64);
  return { memory, pool, arena, gather: new Gather(arena) };
}

/** Sends all of it, reading at the other end as the socket fills. */
function sendThrough(gather: Gather): Uint8Array {
  const [near, far] = socketPair();
  const got: number[] = [];
  const chunk = new Uint8Array(1 << 20);
  while (gather.byteCount > 0) {
    gather.send(near);
    const n = libc.read(far, chunk, chunk.length);
    if (n > 0) { for (let i = 0; i < n; i++) got.push(chunk[i]!); }
  }
  for (let n; (n = libc.read(far, chunk, chunk.length)) > 0;) {
    for (let i = 0; i < n; i++) got.push(chunk[i]!);
  }
  closeDescriptor(near);
  closeDescriptor(far);
  return Uint8Array.from(got);
}

const segment = fc.oneof(
  fc.record({ kind: fc.constant("header"), length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    kind: fc.constant("memory"),
    length: fc.integer({ min: 1, max: 200_000 }),
    pointer: fc.nat(1 << 20),
    stable: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("zeroes"), length: fc.integer({ min: 1, max: 300_000 }) }),
  fc.record({ kind: fc.constant("bytes"), length: fc.integer({ min: 1, max: 50_000 }) }),
);

Deno.test("segments of all kinds arrive in order, however often the socket fills", () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 30 }), fc.boolean(), (segments, settle) => {
      const { memory, gather } = setUp(2 << 20);
      const expected: Uint8Array[] = [];
      for (const s of segments) {
        if (s.kind === "header") {
          const at = gather.header(s.length);
          for (let i = 0; i < s.length; i++) gather.headerView.setUint8(at + i, 0xa0 + i);
          expected.push(Uint8Array.from({ length: s.length }, (_, i) => 0xa0 + i));
        } else if (s.kind === "memory") {
          const { pointer, stable } = s as unknown as { pointer: number; stable: boolean };
          gather.memory(memory.address + pointer, s.length, stable);
          expected.push(memory.bytes.slice(pointer, pointer + s.length));
        } else if (s.kind === "zeroes") {
          gather.zeroes(s.length);
          expected.push(new Uint8Array(s.length));
        } else {
          gather.bytes(new Uint8Array(s.length).fill(0x77));
          expected.push(new Uint8Array(s.length).fill(0x77));
        }
      }
      if (settle) gather.settle();
      const total = expected.reduce((sum, part) => sum + part.length, 0);
      assert.equal(gather.byteCount, total);
      const got = sendThrough(gather);
      assertSameBytes(got, Buffer.concat(expected));
      gather.reset();
      assert.equal(gather.segmentCount, 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("consecutive headers share one segment", () => {
  const { gather } = setUp();
  for (let i = 0; i < 64; i++) gather.header(16);
  assert.equal(gather.segmentCount, 1);
  assert.equal(gather.byteCount, 1024);
});

Deno.test("more than 1024 segments go out in several calls", () => {
  const { gather, memory } = setUp();
  for (let i = 0; i < 3000; i++) gather.memory(memory.address + 8192 + 3 * i, 2, false);
  const got = sendThrough(gather);
  assert.equal(got.length, 6000);
  assert.equal(got[5998], memory.bytes[8192 + 3 * 2999]);
});

Deno.test("settle() keeps stable data as it was when the device reuses the memory", () => {
  const { gather, memory } = setUp();
  const before = memory.bytes.slice(10_000, 14_096);
  gather.header(16);
  gather.memory(memory.address + 10_000, 4096, true);
  gather.settle();
  memory.bytes.fill(0, 10_000, 14_096);
  assert.deepEqual(sendThrough(gather).slice(16), before);
});

Deno.test("a block is lent until every answer in it is sent", () => {
  const { pool, arena, gather } = setUp();
  const [a, b] = [new InflightRequest(), new InflightRequest()];
  const first = arena.take(a, 100);
  assert.equal(arena.take(b, 100), first + 128, "pointers are aligned");
  gather.adopt(a);
  gather.reset();
  assert.notEqual(arena.take(new InflightRequest(), 100), first, "b still lies in it");
  assert.ok(pool.lentBytes > 0);
  assert.equal(arena.idleBytes, 0);
});

Deno.test("the same memory is used again once all answers are sent", () => {
  const { arena, gather } = setUp();
  const request = new InflightRequest();
  const first = arena.take(request, 5000);
  gather.adopt(request);
  gather.reset();
  assert.equal(arena.take(request, 5000), first);
});
