// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { lateLibc, libc } from "../../native/libc.ts";
import { BufferPool } from "./buffer_pool.ts";
import { NO_ROOM, ReceiveBuffer } from "./receive_buffer.ts";
import { TestMemory } from "./test_memory.ts";

const HEADER = 28;

function setUp(size = 16 << 20, bytesMax = size) {
  const memory = new TestMemory(size);
  const pool = new BufferPool(memory, bytesMax);
  const fds = new Int32Array(2);
  assert.equal(lateLibc.socketpair(1, 1, 0, new Uint8Array(fds.buffer)), 0);
  fds.forEach(setNonBlocking);
  const close = () => fds.forEach(closeDescriptor);
  return { memory, pool, near: fds[0]!, far: fds[1]!, close, buffer: new ReceiveBuffer(pool) };
}

Deno.test("messages of all sizes come out whole, however they are cut", () => {
  const sizes = fc.array(
    fc.oneof(fc.nat(200), fc.nat(8192), fc.integer({ min: 0, max: 3 << 20 })),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 1 << 20 }), (payloads, cut) => {
      const { memory, pool, near, far, close, buffer } = setUp();
      const stream = new Uint8Array(payloads.reduce((sum, n) => sum + HEADER + n, 0));
      let at = 0;
      for (const n of payloads) {
        new DataView(stream.buffer).setUint32(at, n);
        for (let i = HEADER; i < HEADER + n; i++) stream[at + i] = i * 7 + n;
        at += HEADER + n;
      }
      let sent = 0;
      let checked = 0;
      let needed = 0;
      while (checked < payloads.length) {
        if (sent < stream.length) {
          const n = libc.write(far, stream.subarray(sent), Math.min(cut, stream.length - sent));
          if (n > 0) sent += n;
        }
        if (buffer.receive(near, needed, HEADER) <= 0) continue;
        for (;;) {
          needed = 0;
          if (buffer.length < HEADER) break;
          const payload = memory.view.getUint32(buffer.pointer);
          assert.equal(payload, payloads[checked]);
          needed = HEADER + payload;
          if (buffer.length < needed) break;
          const end = buffer.pointer + needed - 1;
          if (payload > 0) {
            assert.equal(memory.bytes[end], (HEADER + payload - 1) * 7 + payload & 255);
          }
          buffer.consume(needed);
          checked++;
        }
        buffer.rest(HEADER);
      }
      buffer.close();
      close();
      assert.equal(pool.lentBytes, 0, "an idle connection holds no memory");
    }),
    { numRuns: 12 },
  );
});

Deno.test("a small leftover is set aside and continued", () => {
  const { memory, pool, near, far, close, buffer } = setUp();
  libc.write(far, new Uint8Array([1, 2, 3]), 3);
  assert.equal(buffer.receive(near, 0, HEADER), 3);
  buffer.rest(HEADER);
  assert.equal(pool.lentBytes, 0);
  assert.equal(buffer.heldBytes, 3);
  libc.write(far, new Uint8Array([4]), 1);
  assert.equal(buffer.receive(near, 0, HEADER), 1);
  assert.deepEqual([...memory.bytes.subarray(buffer.pointer, buffer.pointer + 4)], [1, 2, 3, 4]);
  close();
});

Deno.test("a pause within a request leaves only the memory that the request needs", () => {
  const { pool, near, far, close, buffer } = setUp();
  libc.write(far, new Uint8Array(5000), 5000);
  buffer.receive(near, 0, HEADER);
  buffer.shrink(HEADER + 8192);
  assert.equal(pool.lentBytes, 64 * 1024);
  assert.equal(buffer.length, 5000);
  close();
});

Deno.test("a pinned payload stays lent when the connection goes on", () => {
  const { pool, near, far, close, buffer } = setUp();
  libc.write(far, new Uint8Array(100), 100);
  buffer.receive(near, 0, HEADER);
  const block = buffer.block;
  block.references++;
  buffer.consume(100);
  buffer.rest(HEADER);
  assert.equal(pool.lentBytes, block.size);
  buffer.unpin(block);
  assert.equal(pool.lentBytes, 0);
  close();
});

Deno.test("the bound on memory is said, and the end of the stream told apart", () => {
  const { near, far, close, buffer } = setUp(4 << 20, 64 * 1024);
  assert.equal(buffer.receive(near, 1 << 20, HEADER), NO_ROOM);
  closeDescriptor(far);
  assert.equal(buffer.receive(near, 0, HEADER), 0);
  close();
});

Deno.test("a pause keeps all that has arrived, however little the first request needs", () => {
  const { memory, pool, near, far, close, buffer } = setUp();
  const bytes = Uint8Array.from({ length: 150_000 }, (_, i) => i * 7 + (i >> 9));
  libc.write(far, bytes, bytes.length);
  assert.equal(buffer.receive(near, 0, HEADER), bytes.length);
  const neighbour = pool.take(64 * 1024)!;
  memory.bytes.fill(0xee, neighbour.pointer, neighbour.pointer + neighbour.size);
  for (const needed of [0, 28, 100_000]) buffer.shrink(needed);
  const got = memory.bytes.slice(buffer.pointer, buffer.pointer + bytes.length);
  assert.equal(got.findIndex((byte, i) => byte !== bytes[i]), -1);
  const other = memory.bytes.subarray(neighbour.pointer, neighbour.pointer + neighbour.size);
  assert.ok(other.every((byte) => byte === 0xee));
  close();
});
