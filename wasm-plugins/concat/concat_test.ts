// SPDX-License-Identifier: MIT
// concat against a model, above files and plugins of any size.

import assert from "node:assert/strict";
import { Refused } from "../../core/backend/testing.ts";
import { Support } from "../../core/block/export.ts";
import { RequestFlag } from "../../core/block/request.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import { assertSameBytes, randomChanges, withFiles } from "../test_nodes.ts";

await useNodes("concat", "memory", "zero", "stripe");

Deno.test("concat of odd sizes is exact to the byte", () => {
  const sizes = [1, 70_001, 513, 4096, 99_999];
  withFiles(sizes.map((size, i) => fill(size, i)), (paths) => {
    const disk = client(node("concat", ...paths.map((path) => node(`file ${path}`))));
    assert.equal(disk.opened.info.sizeLow, sizes.reduce((sum, size) => sum + size));
    const model = Uint8Array.from(sizes.flatMap((size, i) => [...fill(size, i)]));
    assertSameBytes(disk.read(0, model.length), model);
    randomChanges(disk, model, 1);
    disk.flush();
    disk.close();
    let at = 0;
    paths.forEach((path, i) => {
      assertSameBytes(Deno.readFileSync(path), model.subarray(at, at + sizes[i]!));
      at += sizes[i]!;
    });
  });
});

Deno.test("concat skips devices of no bytes", () => {
  const sizes = [0, 5000, 0, 0, 3000, 0];
  const disk = client(node("concat", ...sizes.map((size) => node(`memory ${size}`))));
  const model = new Uint8Array(8000);
  randomChanges(disk, model, 2);
  assertSameBytes(disk.read(0, 8000), model);
  disk.close();
});

Deno.test("concat joins extents where devices meet", () => {
  const disk = client(node("concat", ...[1, 2, 3].map(() => node("memory 1M"))));
  const MIB = 1 << 20;
  disk.write(2 * MIB - 8192, fill(16384, 1));
  assert.deepEqual(disk.extents(0, 3 * MIB), [
    { length: MIB, flags: 3 },
    { length: MIB - 8192, flags: 3 },
    { length: 8192, flags: 0 },
    { length: 8192, flags: 0 },
    { length: MIB - 8192, flags: 3 },
  ]);
  assert.deepEqual(disk.extents(0, 3 * MIB, true), [{ length: MIB, flags: 3 }]);
  assert.deepEqual(disk.extents(MIB + 4096, 4096), [{ length: 4096, flags: 3 }]);
  disk.close();
});

Deno.test("concat does not tell extents behind a device that stopped short", () => {
  const stripe = node("stripe chunk=4K", node("memory 8M"), node("memory 8M"));
  const disk = client(node("concat", stripe, node("memory 1M")));
  // More extents than stripe tells at a time.
  for (let at = 0; at < 8 << 20; at += 16384) disk.write(at, fill(8192, 1));
  const extents = disk.extents(0, 17 << 20);
  assert(extents.length > 200, `${extents.length}`);
  extents.forEach((extent, i) => assert.deepEqual(extent, { length: 8192, flags: i % 2 ? 3 : 0 }));
  disk.close();
});

Deno.test("concat can do what all devices can", () => {
  const disk = client(node("concat", node("memory 1M"), node("zero 1M")));
  const { can, readOnly } = disk.opened.info;
  assert.equal(readOnly, true);
  assert.equal(can.write, Support.None);
  assert.equal(can.trim, Support.None);
  disk.close();
});

Deno.test("concat zeroes fast on one device, and not at all across two", () => {
  const disk = client(node("concat", node("memory 64K"), node("memory 64K")));
  disk.write(0, fill(131072, 1));
  disk.zero(0, 65536, RequestFlag.FastZero);
  assertSameBytes(disk.read(0, 65536), new Uint8Array(65536));
  const across = () => disk.zero(60_000, 10_000, RequestFlag.FastZero);
  assert.throws(across, (error) => error instanceof Refused && error.errno === 95);
  assertSameBytes(disk.read(65536, 65536), fill(131072, 1).subarray(65536));
  disk.close();
});

Deno.test("concat refuses more than 2^63-1 bytes", () => {
  const graph = node("concat", node("zero 9223372036854775807"), node("zero 1"));
  assert.throws(() => client(graph), /larger than 2\^63-1 bytes/);
  const disk = client(node("concat", node("zero 9223372036854775806"), node("zero 1")));
  assertSameBytes(disk.read((1n << 63n) - 3n, 2), new Uint8Array(2));
  disk.close();
});

Deno.test("concat fails what a device fails, and only that", () => {
  withFiles([fill(100_000, 1), fill(100_000, 2)], (paths) => {
    const disk = client(node("concat", ...paths.map((path) => node(`file ${path}`))));
    Deno.truncateSync(paths[1]!, 0);
    assertSameBytes(disk.read(0, 100_000), fill(100_000, 1));
    assert.throws(() => disk.read(90_000, 20_000), Refused);
    disk.close();
  });
});
