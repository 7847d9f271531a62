// SPDX-License-Identifier: MIT
// mirror with devices that fail and come back: no client sees it, no content is lost, and in the end all
// devices are the same.

import assert from "node:assert/strict";
import { Refused, type TestClient } from "../../core/backend/testing.ts";
import type { DeviceOptions } from "../../core/control/options.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import {
  assertSameBytes,
  breakDevice,
  Fuse,
  FUSE_BYTES,
  fusedContents,
  metric,
  randomChanges,
  withFiles,
  workUntil,
} from "../test_nodes.ts";

const FUSE = "lib/test-fuse";
await useNodes("mirror", "memory", "delay", "stats", FUSE);

const SIZE = 1 << 20;

/** A mirror of `count` devices that can be broken, above empty files. */
function withMirror(
  parameters: string,
  count: number,
  use: (disk: TestClient, paths: string[], log: string[]) => void,
  below = (path: string): DeviceOptions => node(FUSE, node(`file ${path}`)),
): void {
  const empty = Array.from({ length: count }, () => new Uint8Array(SIZE + FUSE_BYTES));
  withFiles(empty, (paths) => {
    const log: string[] = [];
    const disk = client(node(`mirror${parameters}`, ...paths.map(below)), log);
    use(disk, paths, log);
    disk.close();
  });
}

Deno.test("mirror keeps three devices the same", () => {
  withMirror("", 3, (disk, paths) => {
    const model = new Uint8Array(SIZE);
    randomChanges(disk, model, 1);
    disk.flush();
    for (const path of paths) assertSameBytes(fusedContents(path), model, path);
    assert.equal(metric(disk, "alive"), 3);
    assert.equal(metric(disk, "failures"), 0);
  });
});

for (
  const [name, bits] of [["write", Fuse.Write], ["zero", Fuse.Zero], ["flush", Fuse.Flush]] as const
) {
  Deno.test(`mirror leaves a device out whose ${name} failed, and goes on`, () => {
    withMirror("", 2, (disk, paths, log) => {
      disk.write(0, fill(5000, 1));
      breakDevice(paths[1]!, bits, 28);
      if (name === "write") disk.write(0, fill(5000, 2));
      else if (name === "zero") disk.zero(0, 5000);
      else disk.flush();
      assert.equal(metric(disk, "alive"), 1);
      assert.match(
        log.join("\n"),
        /device 1 is left out from now on: a (change|flush) failed with ENOSPC/,
      );
      breakDevice(paths[1]!, 0);
      const model = fusedContents(paths[0]!);
      randomChanges(disk, model, 3, { rounds: 40 });
      assertSameBytes(fusedContents(paths[0]!), model);
      assert.equal(metric(disk, "failures"), 1, "nobody asks a device that was left out");
    });
  });
}

Deno.test("mirror passes on what all devices fail, and leaves none out", () => {
  withMirror("", 2, (disk, paths) => {
    for (const path of paths) breakDevice(path, Fuse.Write, 28);
    assert.throws(
      () => disk.write(0, fill(4096, 1)),
      (error) => error instanceof Refused && error.errno === 28,
    );
    assert.equal(metric(disk, "alive"), 2);
    for (const path of paths) breakDevice(path, 0);
    disk.write(0, fill(4096, 1));
  });
});

Deno.test("mirror reads from another device where one fails, at once or later", () => {
  for (const delay of [false, true]) {
    const slow = (path: string) => {
      const fuse = node(FUSE, node(`file ${path}`));
      return delay ? node("delay rdelay=5ms", fuse) : fuse;
    };
    withMirror(" read=round-robin", 2, (disk, paths, log) => {
      disk.write(0, fill(100_000, 1));
      breakDevice(paths[0]!, Fuse.Read | Fuse.Extents, 61);
      for (let i = 0; i < 4; i++) {
        assertSameBytes(disk.read(i * 7, 90_000), fill(100_000, 1).subarray(i * 7, i * 7 + 90_000));
      }
      assert.deepEqual(disk.extents(0, 4096).map(({ flags }) => flags), [0]);
      assert.equal(
        metric(disk, "alive"),
        2,
        "a read that fails tells nothing about what is on the device",
      );
      assert.match(log.join("\n"), /warning: .*device 0 cannot read 90000 bytes at 0: ENODATA/);
      breakDevice(paths[1]!, Fuse.Read);
      assert.throws(() => disk.read(0, 10), Refused);
    }, slow);
  }
});

/** Which of two devices, made different behind the mirror's back, answers each read. */
function answers(parameters: string, offsets: number[]): string {
  let result = "";
  withMirror(parameters, 2, (disk, paths) => {
    paths.forEach((path, i) => Deno.writeFileSync(path, new Uint8Array(SIZE).fill(65 + i)));
    for (const path of paths) Deno.truncateSync(path, SIZE + FUSE_BYTES);
    for (const offset of offsets) result += String.fromCharCode(disk.read(offset, 4096)[0]!);
  });
  return result;
}

Deno.test("mirror balances reads", () => {
  assert.equal(answers(" read=round-robin", [0, 0, 0, 0]), "ABAB");
  // Device 1 is at 0 when device 0 is far away, and each goes on with its own stream.
  assert.equal(answers(" read=nearest", [500_000, 0, 504_096, 4096, 508_192]), "ABABA");
  assert.equal(answers("", [500_000, 0, 504_096, 4096]), "ABAB");
});

Deno.test("mirror orders changes of the same bytes the same way on all devices", () => {
  const slow = (path: string) =>
    node(
      path.endsWith("0.img") ? "delay wdelay=20ms" : "delay wdelay=1ms",
      node(FUSE, node(`file ${path}`)),
    );
  withMirror("", 2, (disk, paths) => {
    const writes = Array.from({ length: 12 }, (_, i) => {
      return disk.writeRequest(i * 1000, fill(4000, i), 0);
    });
    assert.deepEqual(disk.together(writes), writes.map(() => 0));
    disk.giveBack();
    const model = new Uint8Array(SIZE);
    for (let i = 0; i < 12; i++) model.set(fill(4000, i), i * 1000);
    for (const path of paths) assertSameBytes(fusedContents(path), model);
  }, slow);
});

Deno.test("mirror brings a device up to date that is known to be out of date", () => {
  withFiles(
    [fill(3 * SIZE + 777, 1), new Uint8Array(3 * SIZE + 777), fill(3 * SIZE + 777, 9)],
    (paths) => {
      const log: string[] = [];
      const files = paths.map((path) => node(`file ${path}`));
      const disk = client(node("mirror resync=1 resync=2", ...files), log);
      const model = fill(3 * SIZE + 777, 1);
      assert.equal(metric(disk, "in_sync"), 1);
      assertSameBytes(disk.read(0, model.length), model);
      randomChanges(disk, model, 5, { rounds: 60, lengthMax: 200_000 });
      workUntil(disk, () => metric(disk, "in_sync") === 3);
      randomChanges(disk, model, 6, { rounds: 20 });
      disk.close();
      for (const path of paths) assertSameBytes(Deno.readFileSync(path), model, path);
      assert.match(log.join("\n"), /resync of device 1: 1\d%, \d+ bytes left/);
      assert.match(log.join("\n"), /device 2 is in sync/);
    },
  );
});

Deno.test("mirror copies only what differs", () => {
  const SPARSE = 64 << 20;
  withFiles([new Uint8Array(0), new Uint8Array(0)], (paths) => {
    for (const path of paths) Deno.truncateSync(path, SPARSE);
    using file = Deno.openSync(paths[0]!, { write: true });
    file.seekSync(5 << 20, Deno.SeekMode.Start);
    file.writeSync(fill(4096, 1));
    const disk = client(node("mirror resync=1", ...paths.map((path) => node(`file ${path}`))));
    workUntil(disk, () => metric(disk, "in_sync") === 2);
    assert.equal(metric(disk, "resynced"), SPARSE);
    assert.equal(metric(disk, "resync_left"), 0);
    disk.close();
    assert(Deno.statSync(paths[1]!).blocks! * 512 <= 1 << 20, "holes stay holes");
    assertSameBytes(Deno.readFileSync(paths[1]!), Deno.readFileSync(paths[0]!));
  });
});

Deno.test("mirror copies no faster than it may", () => {
  const disk = client(node("mirror resync=1 resync-rate=4M", node("memory 1M"), node("memory 1M")));
  const began = performance.now();
  workUntil(disk, () => metric(disk, "in_sync") === 2);
  const elapsed = performance.now() - began;
  assert(elapsed > 180, `1 MiB in ${elapsed} ms`);
  disk.close();
});

Deno.test("mirror takes a device back that has failed for a while, and copies what it has missed", () => {
  withMirror(" rejoin=20ms", 2, (disk, paths, log) => {
    const model = new Uint8Array(SIZE);
    randomChanges(disk, model, 7, { rounds: 30 });
    disk.flush();
    breakDevice(paths[0]!, Fuse.All);
    disk.write(300_000, fill(1000, 1));
    model.set(fill(1000, 1), 300_000);
    assert.equal(metric(disk, "alive"), 1);
    randomChanges(disk, model, 8, { rounds: 30 });
    breakDevice(paths[0]!, 0);
    workUntil(disk, () => metric(disk, "in_sync") === 2);
    randomChanges(disk, model, 9, { rounds: 30 });
    for (const path of paths) assertSameBytes(fusedContents(path), model);
    assert.match(log.join("\n"), /device 0 is tried again: \d+ bytes to compare/);
  });
});

Deno.test("mirror copies again what a device may have lost before it was flushed", () => {
  withMirror(" rejoin=10ms", 2, (disk, paths) => {
    disk.write(0, fill(4096, 1));
    disk.flush();
    disk.write(600_000, fill(4096, 2));
    // The flush fails, and with it goes what had been written before.
    breakDevice(paths[1]!, Fuse.All);
    disk.flush();
    using file = Deno.openSync(paths[1]!, { write: true });
    file.seekSync(600_000, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(4096));
    breakDevice(paths[1]!, 0);
    workUntil(disk, () => metric(disk, "in_sync") === 2);
    assertSameBytes(fusedContents(paths[1]!), fusedContents(paths[0]!));
    assert(metric(disk, "resynced") < SIZE, "what was flushed is not compared");
  });
});

Deno.test("mirror gives up on a device whose content nobody else can read", () => {
  withFiles([fill(SIZE + FUSE_BYTES, 1), new Uint8Array(SIZE + FUSE_BYTES)], (paths) => {
    const log: string[] = [];
    for (const path of paths) breakDevice(path, 0);
    breakDevice(paths[0]!, Fuse.Read);
    const disk = client(
      node("mirror resync=1", ...paths.map((path) => node(FUSE, node(`file ${path}`)))),
      log,
    );
    workUntil(disk, () => metric(disk, "alive") === 1);
    assert.match(log.join("\n"), /device 1 stays out of date in 1048576 bytes/);
    assert.throws(() => disk.read(0, 4096), Refused);
    breakDevice(paths[0]!, 0);
    assertSameBytes(disk.read(0, 4096), fill(SIZE, 1).subarray(0, 4096));
    disk.close();
  });
});

Deno.test("mirror refuses to resync what it cannot", () => {
  const two = () => [node("memory 1M"), node("memory 1M")];
  const start = (parameters: string) => client(node(`mirror ${parameters}`, ...two()));
  assert.throws(() => start("resync=2"), /cannot resync device 2: the devices are 0 to 1/);
  assert.throws(() => start("resync=0 resync=1"), /one has to have the content/);
});
