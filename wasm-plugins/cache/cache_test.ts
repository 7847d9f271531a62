// SPDX-License-Identifier: MIT
// The cache filter: against an array in every mode, what it leaves below and when, and what becomes of
// changes that cannot be written back.

import assert from "node:assert/strict";
import { Refused, type TestClient } from "../../core/backend/testing.ts";
import { RequestFlag } from "../../core/block/request.ts";
import { compareWithArray } from "../test_array.ts";
import { client, fill, node, open, start, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("cache", "cow", "delay", "memory", "stats");

const MIB = 1 << 20;
const SIZE = 2 * MIB + 1234;
/** So small that it is always short of room. */
const SMALL = "cache-max-size=256K";

for (
  const options of [
    "",
    SMALL,
    `${SMALL} cache-on-read=yes`,
    `${SMALL} cache-on-read=yes cache-min-block-size=16K`,
    `${SMALL} cache=writethrough cache-on-read=yes`,
    `${SMALL} cache=unsafe`,
    "cache-max-size=64K cache-min-block-size=32K cache-write-delay=1ms",
  ]
) {
  for (const late of [false, true]) {
    const name = `${options || "defaults"}${late ? ", above what is late" : ""}`;
    Deno.test(`cache behaves as an array does and leaves it below (${name})`, () => {
      const before = fill(SIZE, 3);
      withFile(before, (path) => {
        const file = node(`file ${path}`);
        const below = late ? node("delay rdelay=1ms wdelay=1ms", file) : file;
        const log: string[] = [];
        const disk = client(node(`cache ${options}`.trim(), below), log);
        const model = before.slice();
        compareWithArray(disk, model, {
          rounds: late ? 60 : 120,
          seed: 1,
          together: 6,
          lengthMax: 40_000,
        });
        disk.finish();
        assertSameBytes(Deno.readFileSync(path), model);
        assert.deepEqual(log, []);
      });
    });
  }
}

/** What metrics of the topmost node say. */
function metricsOf(disk: TestClient): Record<string, number> {
  const device = disk.device as unknown as { metrics(): { name: string; value: number }[] };
  return Object.fromEntries(device.metrics().map(({ name, value }) => [name, value]));
}

Deno.test("cache keeps what is written until a flush", () => {
  withFile(new Uint8Array(MIB), (path) => {
    const disk = client(node("cache", node(`file ${path}`)));
    disk.write(4096, fill(8192, 1));
    disk.write(100, fill(10, 1));
    assertSameBytes(Deno.readFileSync(path), new Uint8Array(MIB));
    assert.equal(disk.extents(4096, 8192)[0]!.flags, 0, "data, though there is a hole below");
    disk.flush();
    const after = new Uint8Array(MIB);
    after.set(fill(8192, 1), 4096);
    after.set(fill(10, 1), 100);
    assertSameBytes(Deno.readFileSync(path), after);
    disk.close();
  });
});

Deno.test("cache writes through what has to be durable, and everything where it is to", () => {
  for (
    const [options, flags] of [["cache", RequestFlag.Fua], ["cache cache=writethrough", 0]] as const
  ) {
    withFile(fill(MIB, 2), (path) => {
      const disk = client(node(options, node(`file ${path}`)));
      disk.write(5000, fill(10_000, 3), flags);
      const after = fill(MIB, 2);
      after.set(fill(10_000, 3), 5000);
      assertSameBytes(Deno.readFileSync(path), after);
      disk.close();
    });
  }
});

Deno.test("cache that is unsafe does not write when it is told to flush, but at the end", () => {
  withFile(new Uint8Array(MIB), (path) => {
    const disk = client(node("cache cache=unsafe", node(`file ${path}`)));
    disk.write(4096, fill(8192, 1), RequestFlag.Fua);
    disk.flush();
    assertSameBytes(Deno.readFileSync(path), new Uint8Array(MIB));
    disk.finish();
    assertSameBytes(Deno.readFileSync(path).subarray(4096, 12288), fill(8192, 1));
  });
});

Deno.test("cache writes back by itself after a while, and when the last client goes", () => {
  withFile(new Uint8Array(MIB), (path) => {
    const device = start(node("cache cache-write-delay=10ms", node(`file ${path}`)));
    const disk = open(device);
    disk.write(4096, fill(4096, 1));
    const until = performance.now() + 5000;
    while (Deno.readFileSync(path)[4097] === 0 && performance.now() < until) disk.turn(5);
    assertSameBytes(Deno.readFileSync(path).subarray(4096, 8192), fill(4096, 1));
    disk.turn(0);
    assert.equal(device.nextMs, Infinity, "nothing is left to do");
    assert.equal(device.busy, false);
    disk.close();

    const later = start(node("cache cache-write-delay=1h", node(`file ${path}`)));
    const other = open(later);
    other.write(8192, fill(4096, 2));
    other.opened.close();
    while (later.busy) other.turn(5);
    assertSameBytes(Deno.readFileSync(path).subarray(8192, 12288), fill(4096, 2));
    later.close();
  });
});

Deno.test("cache answers what it has without asking below", () => {
  const log: string[] = [];
  const graph = node("cache cache-on-read=yes", node("stats", node("memory 1M")));
  const disk = client(graph, log);
  for (let i = 0; i < 10; i++) assertSameBytes(disk.read(8192, 16384), new Uint8Array(16384));
  disk.cache(65536, 65536);
  assertSameBytes(disk.read(70_000, 1000), new Uint8Array(1000));
  disk.flush();
  assert.deepEqual([metricsOf(disk)["hits"], metricsOf(disk)["misses"]], [10, 1]);
  disk.close();
  assert.match(log.join(), /reads: 2 of 81920 bytes/);
});

Deno.test("cache takes out what was not used for longest", () => {
  const log: string[] = [];
  const options = "cache-max-size=128K cache-on-read=yes";
  const disk = client(node(`cache ${options}`, node("stats", node("memory 1M"))), log);
  for (let at = 0; at < 20; at++) disk.read(at * 4096, 4096);
  disk.read(0, 4096);
  for (let at = 20; at < 40; at++) {
    disk.read(at * 4096, 4096);
    disk.read(0, 4096);
  }
  disk.flush();
  const before = metricsOf(disk)["misses"]!;
  disk.read(0, 4096);
  disk.read(39 * 4096, 4096);
  disk.flush();
  assert.equal(metricsOf(disk)["misses"], before, "used all the time, and just now");
  disk.read(4096, 4096);
  disk.flush();
  assert.equal(metricsOf(disk)["misses"], before + 1, "used long ago");
  assert(metricsOf(disk)["cached_bytes"]! <= 128 * 1024);
  disk.close();
});

Deno.test("cache survives a disk much larger than itself", () => {
  withFile(new Uint8Array(8 * MIB), (path) => {
    const disk = client(node("cache cache-max-size=64K", node(`file ${path}`)));
    for (let at = 0; at < 8; at++) disk.write(at * MIB, fill(MIB, at));
    for (let at = 0; at < 1000; at++) disk.write(at * 8000, Uint8Array.of(at));
    for (let at = 0; at < 1000; at++) assert.equal(disk.read(at * 8000, 1)[0], at & 255);
    disk.close();
  });
});

Deno.test("cache tells a flush what could not be written back, and tries again later", () => {
  const log: string[] = [];
  // A cow that is full refuses new blocks, until a trim makes room.
  const graph = node(
    "cache cache-write-delay=1h",
    node("cow cow-max-size=1M", node("memory 4M")),
  );
  const disk = client(graph, log);
  disk.write(0, fill(MIB, 1));
  disk.flush();
  disk.write(2 * MIB, fill(65536, 2));
  assert.throws(
    () => disk.flush(),
    (error) => error instanceof Refused && error.errno === 28 && /written back/.test(error.text),
  );
  assert.match(log.join(), /error: .*cannot write back \d+ bytes at 2097152: .*ENOSPC/);
  assertSameBytes(disk.read(2 * MIB, 65536), fill(65536, 2));
  disk.trim(0, MIB);
  disk.flush();
  disk.trim(2 * MIB, 4096);
  disk.flush();
  assertSameBytes(disk.read(2 * MIB + 4096, 61440), fill(65536, 2).subarray(4096));
  disk.finish();
});

Deno.test("cache that can write nothing back writes through, and says at the end what is lost", () => {
  const log: string[] = [];
  const graph = node(
    "cache cache-max-size=64K cache-write-delay=1h",
    node("cow cow-max-size=1M", node("memory 4M")),
  );
  const disk = client(graph, log);
  for (let at = 0; at < MIB; at += 65536) disk.write(at, fill(65536, 1));
  disk.flush();
  let refused = 0;
  for (let at = 0; at < 40; at++) {
    try {
      disk.write(2 * MIB + at * 4096, fill(4096, 1));
    } catch (error) {
      assert(error instanceof Refused && error.errno === 28, `${error}`);
      refused++;
    }
  }
  assert(refused >= 20, `${refused}: 16 blocks have room in the cache`);
  disk.finish();
  assert.match(log.at(-1)!, /the changes in \d+ bytes of the cache are lost/);
});

Deno.test("cache passes trims and zeroes on and forgets what they cover", () => {
  withFile(fill(MIB, 5), (path) => {
    const disk = client(node("cache cache-on-read=yes", node(`file ${path}`)));
    disk.read(0, MIB / 2);
    disk.write(4096, fill(20_000, 1));
    disk.zero(8192, 65536);
    const model = fill(MIB, 5);
    model.set(fill(20_000, 1), 4096);
    model.fill(0, 8192, 8192 + 65536);
    assertSameBytes(disk.read(0, MIB), model);
    assert.equal(Deno.readFileSync(path)[8192], 0);
    disk.trim(0, 65536);
    assertSameBytes(disk.read(0, 65536), new Uint8Array(65536));
    disk.finish();
    assertSameBytes(Deno.readFileSync(path).subarray(65536), model.subarray(65536));
  });
});

Deno.test("cache is read-only above what is, and refuses parameters that make no sense", () => {
  withFile(fill(MIB, 5), (path) => {
    const graph = node("cache", node(`file ${path}`));
    const device = start(graph);
    const disk = open(device, "", "test", true);
    assert.equal(disk.opened.info.readOnly, true);
    assertSameBytes(disk.read(5000, 5000), fill(MIB, 5).subarray(5000, 10_000));
    disk.close();
  });
  const refused = (line: string) => () => client(node(line, node("memory 1M")));
  assert.throws(refused("cache cache-min-block-size=5000"), /must be a power of two/);
  assert.throws(
    refused("cache cache-low-threshold=96%"),
    /cache-low-threshold must be less than cache-high-threshold/,
  );
  assert.throws(refused("cache cache-min-block-size=1M cache-max-size=64K"), /cannot cache blocks/);
});
