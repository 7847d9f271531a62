// SPDX-License-Identifier: MIT
// The cow filter: against an array, its extents, its bounds, and what a commit brings below.

import assert from "node:assert/strict";
import { Refused } from "../../core/backend/testing.ts";
import { Support } from "../../core/block/export.ts";
import { Command, RequestFlag, Status } from "../../core/block/request.ts";
import { compareWithArray } from "../test_array.ts";
import { client, fill, node, open, start, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("cow", "delay", "memory", "pattern");

const MIB = 1 << 20;

for (const options of ["", " cow-block-size=64K", " cow-block-size=1M"]) {
  Deno.test(`cow behaves as an array does, and the file stays as it is${options}`, () => {
    const before = fill(2 * MIB + 1234, 3);
    withFile(before, (path) => {
      const disk = client(node(`cow${options}`, node(`file ${path}`)));
      compareWithArray(disk, before.slice(), { rounds: 150, seed: 1, together: 6 });
      disk.finish();
      assertSameBytes(Deno.readFileSync(path), before);
    });
  });
}

Deno.test("cow behaves as an array does when blocks come late", () => {
  const graph = node("cow", node("delay rdelay=1ms", node("pattern 1M")));
  const model = client(node("pattern 1M")).read(0, MIB);
  const disk = client(graph);
  compareWithArray(disk, model, { rounds: 100, seed: 2, together: 8 });
  disk.finish();
});

for (const base of ["file", "memory", "delay"]) {
  Deno.test(`cow that commits leaves all changes below (${base})`, () => {
    const before = fill(2 * MIB + 1234, 4);
    withFile(before, (path) => {
      const leaf = base === "memory"
        ? node(`memory ${before.length}`)
        : base === "delay"
        ? node("delay wdelay=1ms rdelay=1ms", node(`file ${path}`))
        : node(`file ${path}`);
      const log: string[] = [];
      const disk = client(node("cow cow-commit=full cow-max-size=1M", leaf), log);
      const model = base === "memory" ? new Uint8Array(before.length) : before.slice();
      compareWithArray(disk, model, { rounds: 200, seed: 5, together: 6, lengthMax: 60_000 });
      disk.finish();
      assert.match(log.join("\n"), /committed \d+ bytes/);
      assert.doesNotMatch(log.join("\n"), /cannot|error/);
      if (base !== "memory") assertSameBytes(Deno.readFileSync(path), model);
    });
  });
}

Deno.test("cow that commits when the server stops does nothing before", () => {
  const before = fill(MIB, 6);
  withFile(before, (path) => {
    const disk = client(node("cow cow-commit=stop", node(`file ${path}`)));
    disk.write(5000, fill(100_000, 7));
    disk.zero(500_000, 100_000);
    disk.trim(700_000, 100_000);
    const content = disk.read(0, MIB);
    disk.flush();
    assertSameBytes(Deno.readFileSync(path), before);
    disk.finish();
    assertSameBytes(Deno.readFileSync(path), content);
  });
});

for (const below of ["file", "delay"]) {
  Deno.test(`cow that commits when it is full has room for large writes, too, and in their turn (${below})`, () => {
    const content = fill(512 * 1024, 2);
    withFile(new Uint8Array(64 * MIB), (path) => {
      const file = node(`file ${path}`);
      const leaf = below === "file" ? file : node("delay wdelay=1ms jitter=1ms", file);
      const disk = client(node("cow cow-commit=full cow-max-size=1M", leaf));
      const errnos = new Set<number>();
      let [largePending, smallPending, larges, smalls] = [0, 0, 0, 0];
      const { payload } = disk.writeRequest(0, content, 0);
      const submit = (at: number, length: number, end: (step: number) => void) => {
        const request = disk.request(Command.Write, at, BigInt(length), 0);
        request.payload = payload;
        request.sink = { completed: (_, errno) => (end(-1), void errnos.add(errno)) };
        const status = disk.opened.submit(request);
        if (status === Status.Pending) end(1);
        else errnos.add(status);
      };
      // Small writes come all the time, and take all the room that they get.
      for (let turn = 0; larges < 20; turn++) {
        assert(turn < 5000, `a large write waits for ever, after ${larges} of them`);
        if (largePending === 0) {
          submit(larges++ * content.length, content.length, (by) => largePending += by);
        }
        for (let i = 0; i < 300 && smallPending < 8; i++) {
          submit(32 * MIB + smalls++ % 4096 * 4096, 4096, (by) => smallPending += by);
        }
        disk.turn(1);
      }
      while (largePending + smallPending > 0) disk.turn(1);
      assert.deepEqual([...errnos], [0]);
      assert.throws(() => disk.write(50 * MIB, fill(2 * MIB, 1)), /ENOSPC.*is used up/);
      disk.finish();
      const after = Deno.readFileSync(path);
      assertSameBytes(after.subarray(0, content.length), content);
      assertSameBytes(after.subarray(32 * MIB, 32 * MIB + 4096), content.subarray(0, 4096));
    });
  });
}

Deno.test("cow says what it could not commit", () => {
  withFile(fill(MIB, 6), (path) => {
    const log: string[] = [];
    const disk = client(node("cow cow-commit=stop", node("memory 1M")), log);
    disk.finish();
    assert.deepEqual(log, [], "nothing was written");
    Deno.chmodSync(path, 0o444);
    if (Deno.uid() === 0) return;
    assert.throws(() => client(node("cow cow-commit=stop", node(`file ${path}`))), /read-only/);
  });
});

Deno.test("cow merges its extents with those below", () => {
  const device = start(node("cow", node("memory 1M")));
  const disk = open(device);
  disk.write(4096, new Uint8Array(8192).fill(1));
  assert.deepEqual(disk.extents(0, MIB), [
    { length: 4096, flags: 3 },
    { length: 8192, flags: 0 },
    { length: MIB - 12288, flags: 3 },
  ]);
  assert.equal(disk.extents(4096, 8192, true)[0]!.length, 8192);
  disk.close();

  withFile(fill(MIB, 1), (path) => {
    const above = client(node("cow", node(`file ${path}`)));
    above.trim(65536, 131072);
    above.zero(300_000, 100, RequestFlag.NoHole);
    const found = above.extents(0, MIB);
    assert.deepEqual(found.slice(0, 2), [
      { length: 65536, flags: 0 },
      { length: 131072, flags: 3 },
    ]);
    assert.equal(found.reduce((sum, { length }) => sum + length, 0), MIB);
    assert(found.slice(2).every(({ flags }) => flags === 0));
    above.close();
  });
});

Deno.test("cow trims and zeroes a disk of 8 EiB less one byte at once", () => {
  const size = 2n ** 63n - 1n;
  const disk = client(node("cow", node(`pattern ${size}`)));
  disk.trim(0, size);
  assert.deepEqual(disk.extents(0, size).map(({ flags }) => flags), [3]);
  disk.write(2n ** 40n + 5n, Uint8Array.of(7));
  disk.zero(2n ** 41n + 1n, 2n ** 61n);
  assertSameBytes(disk.read(2n ** 40n, 8192).subarray(0, 8), Uint8Array.of(0, 0, 0, 0, 0, 7, 0, 0));
  assert.deepEqual(disk.extents(2n ** 40n - 4096n, 8192), [
    { length: 4096, flags: 3 },
    { length: 4096, flags: 0 },
  ]);
  disk.close();
});

Deno.test("cow that is full says so, reads on, and takes more after a trim", () => {
  const disk = client(node("cow cow-max-size=1M", node("pattern 4M")));
  const below = client(node("pattern 4M")).read(0, 4 * MIB);
  disk.write(0, fill(MIB, 1));
  assert.throws(
    () => disk.write(2 * MIB, fill(4096, 1)),
    (error) => error instanceof Refused && error.errno === 28 && /used up/.test(error.message),
  );
  assert.throws(() => disk.write(MIB - 1, fill(2, 1)), Refused);
  disk.write(100, fill(5000, 2));
  assertSameBytes(disk.read(MIB, 3 * MIB), below.subarray(MIB));
  disk.zero(2 * MIB, MIB);
  assertSameBytes(disk.read(2 * MIB, MIB), new Uint8Array(MIB));
  disk.trim(0, 65536);
  disk.write(2 * MIB, fill(65536, 1));
  assertSameBytes(disk.read(2 * MIB, 65536), fill(65536, 1));
  disk.close();
});

Deno.test("cow can do what a RAM disk can, above what can do nothing", () => {
  const disk = client(node("cow", node("pattern 1M")));
  const { can, readOnly } = disk.opened.info;
  assert.equal(readOnly, false);
  for (const name of ["write", "flush", "fua", "trim", "zero", "fastZero", "extents"] as const) {
    assert.equal(can[name], Support.Native, name);
  }
  disk.close();
});

Deno.test("cow passes on that a block could not be read, and can be written again", () => {
  withFile(fill(MIB, 1), (path) => {
    const disk = client(node("cow", node(`file ${path}`)));
    Deno.truncateSync(path, 0);
    assert.throws(() => disk.write(5000, fill(10, 1)), Refused);
    Deno.writeFileSync(path, fill(MIB, 1));
    disk.write(5000, fill(10, 9));
    const model = fill(MIB, 1);
    model.set(fill(10, 9), 5000);
    assertSameBytes(disk.read(0, MIB), model);
    disk.close();
  });
});

Deno.test("cow refuses blocks that are no power of two, and a second export", () => {
  assert.throws(
    () => client(node("cow cow-block-size=5000", node("memory 1M"))),
    /cannot use blocks of 5000 bytes: cow-block-size must be a power of two/,
  );
});
