// SPDX-License-Identifier: MIT
// The retry filter: what it tries again, when, how often, and with what opened again.

import assert from "node:assert/strict";
import { Refused, type TestClient } from "../../core/backend/testing.ts";
import { Command } from "../../core/block/request.ts";
import { compareWithArray } from "../test_array.ts";
import { client, fill, node, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("delay", "error", "memory", "retry");

const MIB = 1 << 20;

function metricsOf(disk: TestClient): number[] {
  const device = disk.device as unknown as { metrics(): { value: number }[] };
  return device.metrics().map(({ value }) => value);
}

function errnoOf(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    if (error instanceof Refused) return error.errno;
    throw error;
  }
  return 0;
}

for (const options of ["", " retry-reopen=no", " retry-exponential=no"]) {
  for (const late of [false, true]) {
    Deno.test(`retry makes a good disk out of a bad one${options}${late ? ", which is late" : ""}`, () => {
      withFile(fill(MIB, 1), (path) => {
        const file = node(`file ${path}`);
        const bad = node(
          "error error-rate=30% error-seed=5",
          late ? node("delay rdelay=1ms wdelay=1ms", file) : file,
        );
        const disk = client(node(`retry retries=30 retry-delay=1us${options}`, bad));
        compareWithArray(disk, fill(MIB, 1), { rounds: 60, seed: 4, together: 6 });
        disk.extents(0, MIB);
        disk.flush();
        const [retries, reopens, failures] = metricsOf(disk);
        assert(retries! > 50, `${retries}`);
        assert.equal(failures, 0);
        assert.equal(reopens! > 0, options !== " retry-reopen=no");
        disk.close();
      });
    });
  }
}

Deno.test("retry tries as often as it is told, and waits twice as long each time", () => {
  const bad = (options: string) =>
    node(`retry ${options}`, node("error error-pread-rate=1", node("memory 1M")));
  const times: number[] = [];
  for (
    const options of [
      "retry-delay=20ms retries=3",
      "retry-delay=20ms retries=3 retry-exponential=no",
    ]
  ) {
    const log: string[] = [];
    const disk = client(bad(options), log);
    const began = performance.now();
    assert.equal(errnoOf(() => disk.read(0, 4096)), 5);
    times.push(performance.now() - began);
    assert.deepEqual(metricsOf(disk), [3, 3, 1]);
    assert.match(log.join("\n"), /failed with EIO; trying again in 20 ms, 1 of 3/);
    disk.write(0, fill(4096, 1));
    disk.close();
  }
  assert(times[0]! >= 140, `${times}: 20 + 40 + 80`);
  assert(times[1]! >= 60, `${times}: 3 * 20`);
});

Deno.test("retry passes on at once what it is not to try again", () => {
  const disk = (options: string, error: string) =>
    client(
      node(
        `retry retry-delay=1ms ${options}`.trim(),
        node(`error error=${error} error-rate=1`, node("memory 1M")),
      ),
    );
  for (
    const [options, error, errno, retries] of [
      ["", "EINVAL", 22, 0],
      ["", "EROFS", 30, 0],
      ["", "ENOSPC", 28, 5],
      ["retry-errors=EIO,EBUSY", "ENOSPC", 28, 0],
      ["retry-errors=EIO,EBUSY", "EBUSY", 16, 5],
      ["retry-errors=22", "EINVAL", 22, 5],
      ["retries=0", "EIO", 5, 0],
    ] as const
  ) {
    const one = disk(options, error);
    assert.equal(errnoOf(() => one.read(0, 512)), errno, `${options} ${error}`);
    assert.equal(metricsOf(one)[0], retries, `${options} ${error}`);
    one.close();
  }
  assert.throws(
    () => disk("retry-errors=EIO,EFOO", "EIO"),
    /cannot retry on "EFOO": it is neither the name of an error that is known, such as EIO, nor/,
  );
  assert.throws(() => disk("retry-errors=134", "EIO"), /cannot retry on "134"/);
});

Deno.test("retry sees what has taken the place of a file, if it opens it again", () => {
  for (const reopen of [true, false]) {
    withFile(fill(MIB, 1), (path) => {
      const options = `retry-delay=5ms retries=2 retry-reopen=${reopen ? "yes" : "no"}`;
      const disk = client(node(`retry ${options}`, node(`file ${path}`)));
      assertSameBytes(disk.read(0, 4096), fill(4096, 1));
      // What is open shrinks and is replaced, as by somebody who restores a backup.
      Deno.truncateSync(path, 0);
      Deno.removeSync(path);
      Deno.writeFileSync(path, fill(MIB, 2));
      if (reopen) assertSameBytes(disk.read(0, 4096), fill(4096, 2));
      else assert.equal(errnoOf(() => disk.read(0, 4096)), 5);
      disk.close();
    });
  }
});

Deno.test("retry goes on trying while what is below cannot be opened or has another size", () => {
  withFile(fill(MIB, 1), (path) => {
    const log: string[] = [];
    const disk = client(node("retry retry-delay=1ms retries=8", node(`file ${path}`)), log);
    Deno.truncateSync(path, 4096);
    const began = performance.now();
    const read = disk.request(Command.Read, 65536, 4096n, 0);
    const timer = () => {
      if (performance.now() - began > 20) Deno.writeFileSync(path, fill(MIB, 3));
    };
    let ended = -1;
    read.sink = { completed: (_request, errno) => void (ended = errno) };
    assert.equal(disk.opened.submit(read), -1);
    for (let i = 0; ended < 0 && i < 1000; i++) {
      disk.turn(5);
      timer();
    }
    assert.equal(ended, 0, read.errorText);
    assertSameBytes(disk.bytesAt(read.pieceValue(0), 4096), fill(MIB, 3).subarray(65536, 69632));
    assert.equal(metricsOf(disk)[1], 1, "opened again once it was as large as before");
    disk.giveBack();
    disk.close();
  });
});

Deno.test("retry opens once again for all requests that have failed together", () => {
  const bad = node("error error-pread-rate=50% error-seed=3", node("memory 1M"));
  const disk = client(node("retry retry-delay=20ms retries=40 retry-exponential=no", bad));
  const reads = Array.from({ length: 32 }, (_, i) => disk.request(Command.Read, i * 512, 512n, 0));
  assert.deepEqual(new Set(disk.together(reads)), new Set([0]));
  const [retries, reopens] = metricsOf(disk);
  assert(retries! > 16, `${retries}`);
  assert(reopens! <= 10, `${reopens} for ${retries} retries`);
  disk.close();
});

Deno.test("retry goes on read-only after an error, where it is told to", () => {
  withFile(fill(MIB, 1), (path) => {
    const bad = node("error error-pread-rate=50% error-seed=9", node(`file ${path}`));
    const disk = client(node("retry retry-delay=1ms retries=20 retry-readonly=yes", bad));
    disk.write(0, fill(4096, 2));
    for (let at = 0; at < 10; at++) disk.read(at * 4096, 4096);
    assert(metricsOf(disk)[1]! > 0);
    assert.throws(() => disk.write(0, fill(4096, 3)), /opened read-only again/);
    assertSameBytes(disk.read(0, 4096), fill(4096, 2));
    disk.close();
  });
});
