// SPDX-License-Identifier: MIT
// stripe against a model of the disk and of where its bytes lie.

import assert from "node:assert/strict";
import { Refused, type TestExtent } from "../../core/backend/testing.ts";
import { Support } from "../../core/block/export.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import { assertSameBytes, randomChanges, randomFrom, withFiles } from "../test_nodes.ts";

await useNodes("stripe", "memory", "zero", "delay");

const CHUNK = 4096;

/** What a disk looks like on `count` devices. */
function spread(disk: Uint8Array, count: number): Uint8Array[] {
  const devices = Array.from({ length: count }, () => new Uint8Array(disk.length / count));
  for (let at = 0; at < disk.length; at += CHUNK) {
    const index = at / CHUNK;
    devices[index % count]!.set(disk.subarray(at, at + CHUNK), Math.floor(index / count) * CHUNK);
  }
  return devices;
}

for (const count of [2, 3, 5]) {
  Deno.test(`stripe lays its chunks out on ${count} devices in turn`, () => {
    const zeroes = Array.from({ length: count }, () => new Uint8Array(16 * CHUNK));
    withFiles(zeroes, (paths) => {
      const files = paths.map((path) => node(`file ${path}`));
      const disk = client(node(`stripe chunk=${CHUNK}`, ...files));
      const model = new Uint8Array(count * 16 * CHUNK);
      assert.equal(disk.opened.info.sizeLow, model.length);
      randomChanges(disk, model, count);
      disk.cache(5, model.length - 10);
      disk.flush();
      disk.close();
      spread(model, count).forEach((expected, i) => {
        assertSameBytes(Deno.readFileSync(paths[i]!), expected, `device ${i}`);
      });
    });
  });
}

Deno.test("stripe uses as many whole chunks as the smallest device has", () => {
  const disk = client(node("stripe chunk=64K", node("memory 1000000"), node("memory 300000")));
  assert.equal(disk.opened.info.sizeLow, 2 * 4 * 65536);
  disk.close();
  const tiny = node("stripe chunk=64K", node("memory 1M"), node("memory 65535"));
  assert.throws(() => client(tiny), /a device of 65535 bytes has no room for a chunk of 65536/);
  const odd = node("stripe chunk=5K", node("memory 1M"), node("memory 1M"));
  assert.throws(() => client(odd), /in chunks of 5120 bytes: that is no power of two/);
  const half = 1n << 62n;
  const large = node("stripe", node(`zero ${half}`), node(`zero ${half}`));
  assert.throws(() => client(large), /larger than 2\^63-1 bytes/);
});

Deno.test("stripe trims and zeroes with one request for each device, however long the range is", () => {
  const half = (1n << 61n).toString();
  const disk = client(node("stripe chunk=4K", node(`memory ${half}`), node(`memory ${half}`)));
  disk.write(100_000, fill(100_000, 1));
  disk.zero(50_000, (1n << 62n) - 60_000n);
  assertSameBytes(disk.read(90_000, 200_000), new Uint8Array(200_000));
  disk.write((1n << 62n) - 5000n, fill(5000, 2));
  disk.trim((1n << 62n) - 8192n, 8192);
  assertSameBytes(disk.read((1n << 62n) - 8192n, 8192), new Uint8Array(8192));
  disk.close();
});

/** Extents with equal neighbours joined. */
function joined(extents: readonly TestExtent[]): TestExtent[] {
  const result: TestExtent[] = [];
  for (const { length, flags } of extents) {
    const last = result.at(-1);
    if (last?.flags === flags) last.length += length;
    else result.push({ length, flags });
  }
  return result;
}

Deno.test("stripe deals extents out in the order of the disk", () => {
  const size = 3 * 64 * CHUNK;
  const memories = [0, 1, 2].map(() => node(`memory ${64 * CHUNK}`));
  const disk = client(node(`stripe chunk=${CHUNK}`, ...memories));
  const allocated = new Uint8Array(size / CHUNK);
  const random = randomFrom(5);
  for (let round = 0; round < 40; round++) {
    const index = random(allocated.length);
    disk.write(index * CHUNK, fill(CHUNK, round));
    allocated[index] = 1;
    const from = random(size);
    const length = 1 + random(size - from);
    const expected: TestExtent[] = [];
    for (let at = from; at < from + length;) {
      const end = Math.min(from + length, (Math.floor(at / CHUNK) + 1) * CHUNK);
      expected.push({ length: end - at, flags: allocated[Math.floor(at / CHUNK)] ? 0 : 3 });
      at = end;
    }
    assert.deepEqual(disk.extents(from, length), joined(expected));
    assert.deepEqual(disk.extents(from, length, true), joined(expected).slice(0, 1));
  }
  disk.close();
});

Deno.test("stripe tells the extents of a huge hole at once", () => {
  const disk = client(node("stripe chunk=4K", node("memory 1T"), node("memory 1T")));
  disk.write(2 ** 40 + 4096, fill(4096, 1));
  assert.deepEqual(disk.extents(0, 2n ** 41n), [
    { length: 2 ** 40 + 4096, flags: 3 },
    { length: 4096, flags: 0 },
    { length: 2 ** 40 - 8192, flags: 3 },
  ]);
  disk.close();
});

Deno.test("stripe asks its devices at the same time", () => {
  const slow = () => node("delay rdelay=60ms wdelay=60ms", node("memory 1M"));
  const disk = client(node("stripe chunk=4K", slow(), slow(), slow(), slow()));
  const began = performance.now();
  disk.write(0, fill(64 * 1024, 1));
  assertSameBytes(disk.read(0, 64 * 1024), fill(64 * 1024, 1));
  assert.deepEqual(disk.extents(0, 65536), [{ length: 65536, flags: 0 }]);
  const elapsed = performance.now() - began;
  assert(elapsed >= 180, `${elapsed} ms`);
  assert(elapsed < 3000, `${elapsed} ms: one chunk after the other takes 3800`);
  disk.close();
});

Deno.test("stripe takes large requests in small chunks", () => {
  const disk = client(node("stripe chunk=4K", node("memory 16M"), node("memory 16M")));
  assert.equal(disk.opened.info.blockSize.maximum, 8 << 20);
  assert.equal(disk.opened.info.can.fastZero, Support.None);
  disk.write(123, fill(8 << 20, 3));
  assertSameBytes(disk.read(123, 8 << 20), fill(8 << 20, 3));
  disk.close();
});

Deno.test("stripe fails what one of its devices fails", () => {
  withFiles([fill(65536, 1), fill(65536, 2)], (paths) => {
    const disk = client(node("stripe chunk=4K", ...paths.map((path) => node(`file ${path}`))));
    Deno.truncateSync(paths[1]!, 0);
    assertSameBytes(disk.read(0, 4096), fill(65536, 1).subarray(0, 4096));
    assert.throws(() => disk.read(0, 8192), Refused);
    assertSameBytes(disk.read(8192, 4096), fill(65536, 1).subarray(4096, 8192));
    disk.close();
  });
});
