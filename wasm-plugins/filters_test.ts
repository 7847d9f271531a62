// SPDX-License-Identifier: MIT
// The bundled filters in the real host, above the file backend and plugins, through graphs as the
// command line makes them.

import assert from "node:assert/strict";
import { Refused } from "../core/backend/testing.ts";
import { Command } from "../core/block/request.ts";
import { client, fill, node, start, useNodes, withFile } from "./test_graph.ts";

const MIB = 1 << 20;
await useNodes("cow", "delay", "memory", "mirror", "offset", "pattern", "stats");

Deno.test("offset serves a part of a file", () => {
  withFile(fill(MIB, 1), (path) => {
    const disk = client(node("offset offset=4K range=64K", node(`file ${path}`)));
    assert.equal(disk.opened.info.sizeLow, 65536);
    assert.deepEqual(disk.read(0, 65536), fill(MIB, 1).subarray(4096, 69632));
    disk.write(100, fill(5000, 9));
    disk.zero(8192, 4096);
    disk.trim(16384, 4096);
    disk.flush();
    const after = Deno.readFileSync(path);
    assert.deepEqual(after.subarray(4196, 9196), fill(5000, 9));
    assert.deepEqual(after.subarray(12288, 16384), new Uint8Array(4096));
    assert.deepEqual(disk.extents(0, 65536).at(-1)!.flags, 0);
    disk.close();
  });
});

Deno.test("offset refuses a part that is not there", () => {
  const graph = (line: string) => node(line, node("memory 1M"));
  assert.throws(() => client(graph("offset offset=2M")), /cannot skip 2097152 bytes/);
  assert.throws(
    () => client(graph("offset offset=1K range=1M")),
    /cannot serve 1048576 bytes from 1024: the device has 1048576/,
  );
});

Deno.test("delay lets requests wait at the same time", () => {
  const disk = client(node("delay rdelay=50ms", node("memory 1M")));
  const began = performance.now();
  const reads = Array.from(
    { length: 20 },
    (_, i) => disk.request(Command.Read, i * 4096, 4096n, 0),
  );
  assert.deepEqual(disk.together(reads), new Array(20).fill(0));
  const elapsed = performance.now() - began;
  assert(elapsed >= 50, `${elapsed} ms`);
  assert(elapsed < 500, `${elapsed} ms: one after the other takes 1000`);
  disk.close();
});

Deno.test("delay with jitter lets requests overtake one another, in the order of its seed", () => {
  const orders = [1, 1, 2].map((seed) => {
    const disk = client(
      node(`delay rdelay=1ms jitter=60ms seed=${seed}`, node("pattern 1M")),
    );
    const order: number[] = [];
    const reads = Array.from({ length: 12 }, (_, i) => {
      const request = disk.request(Command.Read, i * 4096, 4096n, 0);
      const { sink } = request;
      request.sink = {
        completed(done, errno) {
          order.push(i);
          sink.completed(done, errno);
        },
      };
      return request;
    });
    assert.deepEqual(disk.together(reads), new Array(12).fill(0));
    disk.close();
    return order;
  });
  const sorted = orders[0]!.toSorted((a, b) => a - b);
  assert.equal(sorted.length, 12);
  for (const order of orders) assert.notDeepEqual(order, sorted);
  assert.notDeepEqual(orders[0], orders[2]);
});

Deno.test("stats counts and says so at the end", () => {
  const log: string[] = [];
  const disk = client(node("stats", node("memory 1M")), log);
  disk.write(0, fill(1000, 1));
  disk.read(0, 4096);
  disk.read(0, 100);
  disk.flush();
  disk.close();
  assert.match(
    log.join(),
    /reads: 2 of 4196 bytes; writes: 1 of 1000 bytes; trims: 0 of 0 bytes; zeroes: 0 of 0 bytes; flushes: 1/,
  );
});

Deno.test("stats says how large requests were", () => {
  const log: string[] = [];
  const disk = client(node("stats", node("memory 64M")), log);
  for (const length of [1, 512, 513, 4096, 4097, 8192]) disk.read(0, length);
  disk.write(0, fill(1 << 20, 1));
  disk.close();
  assert.match(log.join("\n"), /reads by size: 2 up to 512, 1 up to 1K, 1 up to 4K, 2 up to 8K$/m);
  assert.match(log.join("\n"), /writes by size: 1 up to 1M$/m);
});

Deno.test("mirror writes to all and reads from each", () => {
  withFile(new Uint8Array(MIB), (a) =>
    withFile(new Uint8Array(MIB), (b) => {
      const disk = client(node("mirror read=round-robin", node(`file ${a}`), node(`file ${b}`)));
      disk.write(1000, fill(50_000, 4));
      disk.zero(3000, 1000);
      disk.flush();
      assert.deepEqual(Deno.readFileSync(a), Deno.readFileSync(b));
      assert.deepEqual(disk.read(1000, 2000), fill(50_000, 4).subarray(0, 2000));
      // Made different behind its back, to see who answers.
      Deno.writeFileSync(a, new Uint8Array(MIB).fill(1));
      Deno.writeFileSync(b, new Uint8Array(MIB).fill(2));
      const answers = [disk.read(0, 1)[0], disk.read(0, 1)[0]].sort();
      assert.deepEqual(answers, [1, 2]);
      disk.close();
    }));
});

Deno.test("mirror of plugins answers from the memory of each", () => {
  const disk = client(node("mirror", node("memory 1M"), node("memory 1M")));
  disk.write(4096, fill(10_000, 4));
  for (let i = 0; i < 4; i++) assert.deepEqual(disk.read(4096, 10_000), fill(10_000, 4));
  disk.trim(0, MIB);
  assert.deepEqual(disk.read(0, MIB), new Uint8Array(MIB));
  assert.deepEqual(disk.extents(0, MIB), [{ length: MIB, flags: 3 }]);
  disk.close();
});

Deno.test("mirror goes on without a device that has failed", () => {
  withFile(new Uint8Array(MIB), (a) =>
    withFile(new Uint8Array(MIB), (b) => {
      const log: string[] = [];
      const disk = client(node("mirror", node(`file ${a}`), node(`file ${b}`)), log);
      Deno.truncateSync(a, 4096);
      Deno.writeFileSync(b, fill(MIB, 6));
      for (let i = 0; i < 4; i++) {
        assert.deepEqual(disk.read(65536, 4096), fill(MIB, 6).subarray(65536, 69632));
      }
      disk.close();
    }));
});

Deno.test("mirror needs two devices, and tells when none can do it", () => {
  assert.throws(
    () => start(node("mirror", node("memory 1M"))),
    /cannot start "mirror" above 1 devices: it takes 2 to 16/,
  );
  withFile(new Uint8Array(MIB), (path) => {
    const disk = client(node("mirror", node(`file ${path}`), node(`file ${path}`)));
    Deno.truncateSync(path, 0);
    assert.throws(() => disk.read(0, 4096), Refused);
    disk.close();
  });
});

Deno.test("filters of all kinds stand on one another", () => {
  withFile(fill(MIB, 8), (path) => {
    const graph = node(
      "stats",
      node("delay wdelay=1ms", node("cow", node("offset offset=8K", node(`file ${path}`)))),
    );
    const disk = client(graph);
    const model = fill(MIB, 8).slice(8192);
    disk.write(777, fill(9999, 2));
    model.set(fill(9999, 2), 777);
    assert.deepEqual(disk.read(0, 65536), model.subarray(0, 65536));
    disk.close();
    assert.deepEqual(Deno.readFileSync(path), fill(MIB, 8));
  });
});
