// SPDX-License-Identifier: MIT
// The rate filter: how long transfers take, what goes at once, and that clients do not hold each other up.

import assert from "node:assert/strict";
import type { TestClient } from "../../core/backend/testing.ts";
import { Command } from "../../core/block/request.ts";
import { compareWithArray } from "../test_array.ts";
import { client, fill, node, open, start, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("delay", "memory", "rate");

const MIB = 1 << 20;

/** Milliseconds that `run` takes. */
function elapsed(run: () => void): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

/** 1 MiB a second each way, of which 64 KiB may go at once. */
const limited = (more = "") => node(`rate rate=8M burstiness=62500us${more}`, node("memory 16M"));

function readAll(disk: TestClient, bytes: number, step: number): void {
  for (let at = 0; at < bytes; at += step) disk.read(at, step);
}

for (const step of [4096, 65536, 524288]) {
  Deno.test(`rate lets reads of ${step} bytes through at its rate`, () => {
    const disk = client(limited());
    // 64 KiB at once, and the last piece is not waited for: half a second for the rest, roughly.
    const ms = elapsed(() => readAll(disk, 524288, step));
    assert(ms >= 350, `${ms} ms`);
    assert(ms < 1500, `${ms} ms`);
    disk.close();
  });
}

Deno.test("rate counts both directions by themselves", () => {
  const disk = client(limited());
  const reads = Array.from({ length: 4 }, (_, i) => {
    return disk.request(Command.Read, i * 65536, 65536n, 0);
  });
  const writes = Array.from({ length: 4 }, (_, i) => {
    return disk.writeRequest(MIB + i * 65536, fill(65536, i), 0);
  });
  const ms = elapsed(() =>
    assert.deepEqual(new Set(disk.together([...reads, ...writes])), new Set([0]))
  );
  assert(ms >= 120, `${ms} ms`);
  assert(ms < 1000, `${ms} ms: not one after the other`);
  disk.close();
});

Deno.test("rate lets a burst go at once after a pause, and what has no data always", () => {
  const disk = client(node("rate rate=8M burstiness=1s", node("memory 16M")));
  assert(elapsed(() => readAll(disk, MIB / 2, 65536)) < 250);
  assert.equal(disk.pended, 0);
  disk.zero(0, 8 * MIB);
  disk.trim(0, 8 * MIB);
  disk.flush();
  assert.equal(disk.pended, 0);
  disk.close();
});

Deno.test("rate without a limit holds nothing back", () => {
  const disk = client(node("rate", node("memory 16M")));
  readAll(disk, 16 * MIB, 65536);
  assert.equal(disk.pended, 0);
  assert.equal(disk.device.nextMs, Infinity);
  disk.close();
});

Deno.test("rate has nothing to do once its buckets are full", () => {
  const disk = client(limited());
  readAll(disk, 131072, 65536);
  const until = performance.now() + 3000;
  while (disk.device.nextMs !== Infinity && performance.now() < until) disk.turn(50);
  assert.equal(disk.device.nextMs, Infinity);
  disk.close();
});

Deno.test("rate for each client leaves the others alone", () => {
  const device = start(node("rate connection-rate=8M burstiness=62500us", node("memory 16M")));
  const [slow, fast] = [open(device), open(device)];
  const big = slow.request(Command.Read, 0, 524288n, 0);
  assert.equal(slow.opened.submit(big), -1, "held back");
  const ms = elapsed(() => fast.read(0, 32768));
  assert(ms < 200, `${ms} ms`);
  assert.equal(fast.pended, 0);
  const until = performance.now() + 5000;
  while (big.pieceCount === 0 && performance.now() < until) fast.turn(20);
  assert.equal(big.pieceCount > 0, true);
  slow.opened.close();
  fast.close();
});

Deno.test("rate shares what there is between those that wait", () => {
  const disk = client(limited());
  const large = disk.request(Command.Read, 0, BigInt(MIB), 0);
  const small = disk.request(Command.Read, 4 * MIB, 4096n, 0);
  let ended = "";
  const watch = (name: string) => ({ completed: () => void (ended += name) });
  large.sink = watch("large ");
  small.sink = watch("small ");
  assert.equal(disk.opened.submit(large), -1);
  assert.equal(disk.opened.submit(small), -1);
  const until = performance.now() + 8000;
  while (ended.length < 12 && performance.now() < until) disk.turn(20);
  assert.equal(ended, "small large ", "a piece in turn");
  disk.close();
});

Deno.test("rate changes nothing but time, above what answers late, too", () => {
  const below = node("delay rdelay=1ms wdelay=1ms", node("memory 2M"));
  const disk = client(node("rate rate=256M connection-rate=128M burstiness=10ms", below));
  const options = { rounds: 60, seed: 3, together: 8, lengthMax: 300_000 };
  compareWithArray(disk, new Uint8Array(2 * MIB), options);
  disk.close();
});

Deno.test("rate passes on that a piece has failed", () => {
  withFile(fill(2 * MIB, 1), (path) => {
    const disk = client(node("rate rate=64M burstiness=10ms", node(`file ${path}`)));
    assertSameBytes(disk.read(0, MIB), fill(2 * MIB, 1).subarray(0, MIB));
    Deno.truncateSync(path, 300_000);
    assert.throws(() => disk.read(0, MIB), /EIO|end/);
    assertSameBytes(disk.read(0, 65536), fill(65536, 1));
    disk.close();
  });
});

Deno.test("rate follows a file that says another rate", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/rate`;
    Deno.writeTextFileSync(path, "8M\n");
    const log: string[] = [];
    const line = `rate +read=${directory} rate-file=${path} burstiness=62500us`;
    const disk = client(node(line, node("memory 16M")), log);
    const seen = (text: RegExp) => {
      const until = performance.now() + 5000;
      while (!text.test(log.join("\n")) && performance.now() < until) {
        disk.read(0, 4096);
        disk.turn(20);
      }
      assert.match(log.join("\n"), text);
    };
    seen(/the rate is now 8388608 bits per second/);
    const slow = elapsed(() => readAll(disk, 262144, 65536));
    assert(slow >= 100, `${slow} ms`);
    Deno.writeTextFileSync(path, " 8G");
    seen(/the rate is now 8589934592 bits per second/);
    const fast = elapsed(() => readAll(disk, 4 * MIB, 65536));
    assert(fast < 1000, `${fast} ms`);
    Deno.writeTextFileSync(path, "fast");
    seen(/cannot read a rate from ".*": it holds no number of bits/);
    disk.close();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("rate refuses a file that it may not read", () => {
  assert.throws(
    () => client(node("rate rate-file=/tmp/x", node("memory 1M"))),
    /cannot read a rate from a file: allow that by --allow read=FILE/,
  );
});
