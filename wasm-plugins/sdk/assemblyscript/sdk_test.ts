// SPDX-License-Identifier: MIT
// The AssemblyScript SDK through its example, a RAM disk.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TestHost } from "../../test_host.ts";

const EXAMPLE = "sdk/assemblyscript/example";

Deno.test("the example is a RAM disk", async () => {
  const host = await TestHost.start(EXAMPLE, { size: 1_000_001n });
  assert.equal(host.size, 1_000_001n);
  assert.deepEqual(host.read(0n, 1_000_001), new Uint8Array(1_000_001));
  host.write(999_999n, Uint8Array.of(1, 2));
  assert.deepEqual(host.read(999_998n, 3), Uint8Array.of(0, 1, 2));
});

Deno.test("the example says what is wrong with a size that it cannot have", async () => {
  const message = "cannot allocate the disk: it is too large";
  await assert.rejects(TestHost.start(EXAMPLE, { size: 1n << 40n }), { errno: 12, message });
  const limits = { pages: 128 };
  await assert.rejects(TestHost.start(EXAMPLE, { size: 9n << 20n }, limits), {
    errno: 12,
    message,
  });
});

Deno.test("the example is the one that the README shows", () => {
  const read = (name: string) => Deno.readTextFileSync(`${import.meta.dirname}/${name}`);
  const [, shown] = /```ts ignore\n(.*?)```/s.exec(read("README.md"))!;
  const [, , , ...code] = read("example/assembly/index.ts").split("\n");
  assert.equal(shown, code.join("\n"));
});

interface Piece {
  pointer: number;
  size: number;
  align: number;
}

Deno.test("allocated memory is aligned and nobody else's, and freed memory is used again", async () => {
  const step = fc.record({
    free: fc.boolean(),
    index: fc.nat(),
    size: fc.oneof(fc.nat(100), fc.nat(20_000)),
    align: fc.nat(16).map((power) => 2 ** power),
  });
  const run = async (steps: { free: boolean; index: number; size: number; align: number }[]) => {
    const host = await TestHost.start(EXAMPLE, { size: 1n }, { pages: 128 });
    const whole = host.alloc(4 << 20, 16);
    assert(whole > 0);
    host.free(whole, 4 << 20, 16);
    const pieces: Piece[] = [];
    for (const { free, index, size, align } of steps) {
      if (free && pieces.length > 0) {
        const [piece] = pieces.splice(index % pieces.length, 1);
        host.free(piece!.pointer, piece!.size, piece!.align);
        continue;
      }
      const pointer = host.alloc(size, align);
      assert(pointer > 0);
      assert.equal(pointer % align, 0);
      assert(pointer + size <= host.memoryBytes);
      for (const other of pieces) {
        assert(pointer + size <= other.pointer || other.pointer + other.size <= pointer);
      }
      pieces.push({ pointer, size: Math.max(size, 1), align });
    }
    for (const { pointer, size, align } of pieces) host.free(pointer, size, align);
    // Everything has been joined again, or this would not fit.
    assert.equal(host.alloc(4 << 20, 16), whole);
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), run), { numRuns: 100 });
});

Deno.test("what cannot be allocated is refused, with any size and alignment", async () => {
  const host = await TestHost.start(EXAMPLE, { size: 1n }, { pages: 64 });
  for (const size of [5 << 20, 0x7fffffff, 0xfffffff0, 0xffffffff]) {
    for (const align of [1, 4096, 2 ** 31]) assert.equal(host.alloc(size, align), 0);
  }
  assert.equal(host.alloc(16, 2 ** 31), 0);
  assert(host.alloc(1 << 20, 4096) > 0);
});

Deno.test("the physical memory of large buffers goes back when they are freed", async () => {
  const host = await TestHost.start(EXAMPLE, { size: 1n });
  const before = host.releasedBytes;
  host.free(host.alloc(1 << 20, 4096), 1 << 20, 4096);
  assert.equal(host.releasedBytes - before, 1 << 20);
});
