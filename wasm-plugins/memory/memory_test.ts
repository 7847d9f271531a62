// SPDX-License-Identifier: MIT
// The memory plugin against a model, at sizes up to 2^63-1.

import assert from "node:assert/strict";
import fc from "fast-check";
import { CallFailure, CallFlag, TestHost } from "../test_host.ts";
import { Model, type Step, steps } from "./test_model.ts";

const SIZE_MAX = 2n ** 63n - 1n;

function apply(host: TestHost, model: Model, step: Step): void {
  const { offset, value } = step;
  const room = model.size - offset;
  const length = BigInt(step.length) < room ? step.length : Number(room);
  const count = BigInt(length);
  if (step.action === "write") {
    const data = Uint8Array.from({ length }, (_, index) => 1 + (index + value) % 255);
    host.write(offset, data);
    model.write(offset, data);
  } else if (step.action === "provision") {
    host.zero(offset, count);
    model.provision(offset, length);
  } else if (step.action !== "check") {
    if (step.action === "trim") host.trim(offset, count);
    else host.zero(offset, count, CallFlag.MayTrim);
    model.discard(offset, length);
  }
  assert.deepEqual(host.read(offset, length), model.read(offset, length));
  assert.deepEqual(host.extents(offset, count), model.extents(offset, length));
}

for (const size of [1n, 4095n, 70_001n, 1_000_003n, (1n << 32n) + 5n, 1n << 41n, SIZE_MAX]) {
  Deno.test(`a disk of ${size} bytes behaves as the model does`, async () => {
    await TestHost.start("memory", { size });
    const run = async (list: Step[]) => {
      const host = await TestHost.start("memory", { size });
      const model = new Model(size);
      for (const step of list) apply(host, model, step);
      for (const { offset } of list) {
        apply(host, model, { action: "check", offset, length: 99_999, value: 1 });
      }
    };
    await fc.assert(fc.asyncProperty(steps(size), run), { numRuns: 40 });
  });
}

Deno.test("an empty disk of the largest size is one hole and little memory", async () => {
  const host = await TestHost.start("memory", { size: SIZE_MAX });
  assert.equal(host.size, SIZE_MAX);
  assert.deepEqual(host.extents(0n, SIZE_MAX), [{ length: SIZE_MAX, flags: 3 }]);
  const [piece] = host.pieces(123n, SIZE_MAX - 123n);
  assert.equal(piece?.kind, "hole");
  assert.equal(piece?.length, SIZE_MAX - 123n);
  host.trim(0n, SIZE_MAX);
  host.zero(0n, SIZE_MAX, CallFlag.MayTrim);
});

Deno.test("a disk of no size opens and has nothing to give", async () => {
  const host = await TestHost.start("memory", { size: 0n });
  assert.equal(host.size, 0n);
});

Deno.test("the last byte of the largest disk can be written and read", async () => {
  const host = await TestHost.start("memory", { size: SIZE_MAX });
  host.write(SIZE_MAX - 3n, Uint8Array.of(1, 2, 3));
  assert.deepEqual(host.read(SIZE_MAX - 5n, 5), Uint8Array.of(0, 0, 1, 2, 3));
  assert.deepEqual(host.extents(0n, SIZE_MAX), [
    { length: 2n ** 63n - 4096n, flags: 3 },
    { length: 4095n, flags: 0 },
  ]);
});

Deno.test("data comes out stable and, where it went in in order, in one piece", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  const megabyte = new Uint8Array(1 << 20).fill(7);
  for (let i = 0n; i < 8n; i++) host.write(i << 20n, megabyte);
  const pieces = host.pieces(0n, 8n << 20n);
  assert.equal(pieces.length, 1);
  assert(pieces[0]!.stable);
});

Deno.test("data that comes back between its old neighbours gets its old place in memory", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  host.write(0n, new Uint8Array(10 * 65536).fill(7));
  host.trim(2n * 65536n, 65536n);
  host.trim(7n * 65536n, 65536n);
  host.write(7n * 65536n, new Uint8Array(65536).fill(7));
  assert.equal(host.pieces(3n * 65536n, 7n * 65536n).length, 1);
});

Deno.test("holes and data are answered as such in one read", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  host.write(8192n, new Uint8Array(4096).fill(1));
  const kinds = host.pieces(0n, 1n << 20n).map(({ kind, length }) => [kind, length]);
  assert.deepEqual(kinds, [["hole", 8192n], ["data", 4096n], ["hole", (1n << 20n) - 12288n]]);
  assert.deepEqual(host.pieces(8192n, 8192n).map(({ kind }) => kind), ["data", "hole"]);
});

Deno.test("trim and zero give whole blocks back to the system", async () => {
  for (const action of ["trim", "zero"] as const) {
    const host = await TestHost.start("memory", { size: 1n << 30n });
    for (let i = 0n; i < 8n; i++) host.write(i << 20n, new Uint8Array(1 << 20).fill(7));
    const before = { bytes: host.releasedBytes, calls: host.releases };
    host[action](0n, 8n << 20n, CallFlag.MayTrim);
    assert.equal(host.releasedBytes - before.bytes, 8 << 20);
    assert.equal(host.releases - before.calls, 1);
    assert.deepEqual(host.extents(0n, 1n << 30n), [{ length: 1n << 30n, flags: 3 }]);
  }
});

Deno.test("memory that was given back is used again", async () => {
  const host = await TestHost.start("memory", { size: SIZE_MAX });
  const data = new Uint8Array(1 << 20).fill(7);
  for (let i = 0n; i < 16n; i++) host.write(i << 40n, data);
  host.trim(0n, SIZE_MAX);
  const bytes = host.memoryBytes;
  for (let round = 1n; round <= 40n; round++) {
    for (let i = 0n; i < 16n; i++) host.write((i << 40n) + (round << 30n), data);
    host.trim(0n, SIZE_MAX);
  }
  assert.equal(host.memoryBytes, bytes);
});

Deno.test("old bytes never show through a new write into a freed block", async () => {
  const host = await TestHost.start("memory", { size: 1n << 20n });
  host.write(0n, new Uint8Array(1 << 20).fill(0x55));
  host.trim(0n, 1n << 20n);
  for (let at = 0n; at < 1n << 20n; at += 65536n) host.write(at + 5000n, Uint8Array.of(1));
  const bytes = host.read(0n, 1 << 20);
  assert.equal(bytes.reduce((sum, value) => sum + value, 0), 16);
});

Deno.test("zeroing without leave to trim allocates, so that later writes cannot lack space", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  host.zero(100n, 1n << 20n);
  assert.deepEqual(host.extents(0n, 2n << 20n), [
    { length: (1n << 20n) + 4096n, flags: 0 },
    { length: (1n << 20n) - 4096n, flags: 3 },
  ]);
  assert.deepEqual(host.read(0n, 1 << 20), new Uint8Array(1 << 20));
});

Deno.test("zeroing more than there is memory for fails and changes nothing", async () => {
  const host = await TestHost.start("memory", { size: 1n << 40n });
  host.write(0n, Uint8Array.of(1, 2, 3));
  const fails = (error: unknown) =>
    error instanceof CallFailure && error.errno === 28 &&
    error.message.includes("memory of the plugin is used up");
  assert.throws(() => host.zero(0n, 1n << 40n), fails);
  assert.deepEqual(host.read(0n, 3), Uint8Array.of(1, 2, 3));
  assert.deepEqual(host.extents(0n, 1n << 40n), [
    { length: 4096n, flags: 0 },
    { length: (1n << 40n) - 4096n, flags: 3 },
  ]);
});

Deno.test("a full disk says so, can still be used, and takes data again after a trim", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n }, { pages: 256 });
  const data = new Uint8Array(1 << 16).fill(7);
  let written = 0n;
  const fill = () => {
    for (; written < 1n << 30n; written += 65536n) host.write(written, data);
  };
  assert.throws(fill, { errno: 28 });
  assert(written >= 6n << 20n, `half of 16 MiB is for data, but only ${written} bytes fit`);
  assert.deepEqual(host.read(written - 65536n, 65536), data);
  // The host gets memory for as long as its reserve lasts, and again after it gave that back.
  for (let round = 0; round < 3; round++) {
    const buffer = host.alloc(4 << 20, 4096);
    assert(buffer > 0);
    host.free(buffer, 4 << 20, 4096);
    assert.throws(fill, { errno: 28 });
  }
  host.trim(0n, written);
  written = 0n;
  assert.throws(fill, { errno: 28 });
  assert(written >= 6n << 20n);
});

Deno.test("what a failed write left behind can be trimmed away", async () => {
  const host = await TestHost.start("memory", { size: SIZE_MAX }, { pages: 128 });
  const scattered = () => {
    for (let i = 0n; i < 200n; i++) host.write(i << 54n, Uint8Array.of(1));
  };
  assert.throws(scattered, { errno: 28 });
  host.trim(0n, SIZE_MAX);
  assert.deepEqual(host.extents(0n, SIZE_MAX), [{ length: SIZE_MAX, flags: 3 }]);
});

Deno.test("writes that failed leave nothing behind that takes memory", async () => {
  const host = await TestHost.start("memory", { size: SIZE_MAX }, { pages: 128 });
  const data = new Uint8Array(65536).fill(1);
  let place = 1n;
  const round = () => {
    // Makes nodes of the table, which are free afterwards.
    for (let i = 1n; i <= 30n; i++) host.write(i << 50n, data);
    host.trim(0n, SIZE_MAX);
    let written = 0n;
    const fill = () => {
      for (; written < 200n; written++) host.write(written << 16n, data);
    };
    assert.throws(fill, { errno: 28 });
    for (let i = 0; i < 100; i++) {
      assert.throws(() => host.write(place++ << 40n, data), { errno: 28 });
    }
    host.trim(0n, SIZE_MAX);
    return written;
  };
  const fits = round();
  for (let i = 0; i < 5; i++) assert.equal(round(), fits);
});

Deno.test("a trim that goes from where there is nothing into data frees the data", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  host.write(1n << 24n, new Uint8Array(8192).fill(1));
  host.trim((1n << 24n) - 4096n, 8192n);
  assert.deepEqual(host.extents(0n, 1n << 30n)[0], { length: (1n << 24n) + 4096n, flags: 3 });
  assert.deepEqual(host.read(1n << 24n, 4097).lastIndexOf(1), 4096);
});

Deno.test("extents are bounded in number and go on where they stopped", async () => {
  const host = await TestHost.start("memory", { size: 1n << 30n });
  for (let i = 0n; i < 3000n; i++) host.write(i * 8192n, Uint8Array.of(1));
  const first = host.extents(0n, 1n << 30n);
  assert.equal(first.length, 4096);
  const covered = first.reduce((sum, { length }) => sum + length, 0n);
  const second = host.extents(covered, (1n << 30n) - covered);
  assert.equal(second.length, 6000 - 4096);
  assert.equal(host.extents(0n, 1n << 30n, CallFlag.ReqOne).length, 1);
});

Deno.test("other exports do not exist", async () => {
  const host = await TestHost.start("memory", { size: 10n });
  const text = 'cannot open export "döñ": the only export has the empty name';
  assert.throws(() => host.open("döñ"), { errno: 2, message: text });
});

Deno.test("capabilities that cost nothing are native", async () => {
  const { fua, flush, fastZero, cache, multiConn } = (await TestHost.start("memory", { size: 10n }))
    .info();
  assert.deepEqual([fua, flush, fastZero, cache, multiConn], [2, 2, 2, 2, 2]);
});
