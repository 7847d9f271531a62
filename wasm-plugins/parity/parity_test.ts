// SPDX-License-Identifier: MIT
// parity against a model: every layout, one device missing, failing and rebuilt, and what an array is
// refused for.

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
import { assertParity, dataStart, diskOf } from "./test_array.ts";

const FUSE = "lib/test-fuse";
await useNodes("parity", "delay", FUSE);

const CHUNK = 4096;
const JOURNAL = 163840;
const ROWS = 24;
const DEVICE_BYTES = dataStart(JOURNAL) + ROWS * CHUNK;
const CREATE = ` create=true chunk=${CHUNK} journal=${JOURNAL}`;

const fused = (path: string): DeviceOptions => node(FUSE, node(`file ${path}`));

/** Files for an array of `count` devices that can be broken. */
function withDevices(count: number, use: (paths: string[]) => void): void {
  withFiles(Array.from({ length: count }, () => new Uint8Array(DEVICE_BYTES + FUSE_BYTES)), use);
}

function array(paths: string[], parameters = "", log: string[] = []): TestClient {
  return client(node(`parity${parameters}`, ...paths.map(fused)), log);
}

function inOrder(disk: TestClient): void {
  workUntil(disk, () => metric(disk, "missing") === 0);
}

for (const count of [3, 4, 7]) {
  Deno.test(`parity of ${count} devices keeps what is written, and its parity`, () => {
    withDevices(count, (paths) => {
      const model = new Uint8Array((count - 1) * ROWS * CHUNK);
      const disk = array(paths, CREATE);
      assert.equal(disk.opened.info.sizeLow, model.length);
      randomChanges(disk, model, count, { lengthMax: 60_000 });
      inOrder(disk);
      randomChanges(disk, model, count + 1, { lengthMax: 60_000 });
      disk.flush();
      disk.close();
      const contents = paths.map(fusedContents);
      assertParity(contents, JOURNAL, CHUNK);
      assertSameBytes(diskOf(contents, JOURNAL, CHUNK), model, "left-symmetric layout");
      const again = array(paths);
      assertSameBytes(again.read(0, model.length), model);
      again.close();
    });
  });
}

for (const lost of [0, 1, 2, 3]) {
  Deno.test(`parity goes on without device ${lost}, and fills in a new one`, () => {
    withDevices(4, (paths) => {
      const model = new Uint8Array(3 * ROWS * CHUNK);
      const log: string[] = [];
      const disk = array(paths, CREATE, log);
      inOrder(disk);
      randomChanges(disk, model, lost, { rounds: 40 });
      breakDevice(paths[lost]!, Fuse.All);
      // Reads still work, whether they touch it or not, and so do writes, of which the first finds out.
      assertSameBytes(disk.read(0, model.length), model);
      randomChanges(disk, model, lost + 10, { rounds: 60, lengthMax: 40_000 });
      assert.equal(metric(disk, "missing"), 1);
      assert.match(log.join("\n"), new RegExp(`device ${lost} is left out from now on`));
      disk.close();
      Deno.writeFileSync(paths[lost]!, fill(DEVICE_BYTES + FUSE_BYTES, 77));
      breakDevice(paths[lost]!, 0);

      const degraded = array(paths, "", log);
      assert.match(
        log.join("\n"),
        new RegExp(`device ${lost} is missing or out of date; rebuild=${lost}`),
      );
      assertSameBytes(degraded.read(0, model.length), model);
      randomChanges(degraded, model, lost + 20, { rounds: 40, lengthMax: 40_000 });
      degraded.close();

      const rebuilding = array(paths, ` rebuild=${lost}`, log);
      randomChanges(rebuilding, model, lost + 30, { rounds: 40 });
      inOrder(rebuilding);
      randomChanges(rebuilding, model, lost + 40, { rounds: 40 });
      rebuilding.close();
      assert.match(log.join("\n"), new RegExp(`device ${lost} is rebuilt`));
      const contents = paths.map(fusedContents);
      assertParity(contents, JOURNAL, CHUNK);
      assertSameBytes(diskOf(contents, JOURNAL, CHUNK), model);
    });
  });
}

Deno.test("parity reads around what a device cannot read, and keeps the device", () => {
  withDevices(3, (paths) => {
    const model = new Uint8Array(2 * ROWS * CHUNK);
    const log: string[] = [];
    const disk = array(paths, CREATE, log);
    inOrder(disk);
    randomChanges(disk, model, 1, { rounds: 30 });
    breakDevice(paths[1]!, Fuse.Read, 61);
    assertSameBytes(disk.read(100, 50_000), model.subarray(100, 50_100));
    assertSameBytes(disk.read(0, model.length), model);
    randomChanges(disk, model, 2, { rounds: 60, lengthMax: 30_000 });
    assert.equal(metric(disk, "missing"), 0);
    assert.match(log.join("\n"), /warning: .*device 1 cannot read \d+ bytes at \d+: ENODATA/);
    breakDevice(paths[1]!, 0);
    disk.close();
    assertParity(paths.map(fusedContents), JOURNAL, CHUNK);
  });
});

Deno.test("parity says that it has failed when two devices are gone", () => {
  withDevices(3, (paths) => {
    const disk = array(paths, CREATE);
    inOrder(disk);
    disk.write(0, fill(20_000, 1));
    breakDevice(paths[0]!, Fuse.All);
    disk.write(0, fill(20_000, 2));
    breakDevice(paths[1]!, Fuse.All);
    assert.throws(() => disk.write(0, fill(20_000, 3)), Refused);
    assert.throws(
      () => disk.write(0, fill(100, 3)),
      /cannot use the array: two devices are missing/,
    );
    assert.throws(() => disk.read(0, 20_000), Refused);
    disk.close();
  });
});

Deno.test("parity waits for slow devices, many requests at a time", () => {
  withDevices(4, (paths) => {
    const slow = paths.map((path) => node("delay rdelay=1ms wdelay=1ms", fused(path)));
    const disk = client(node(`parity${CREATE}`, ...slow));
    inOrder(disk);
    const model = new Uint8Array(3 * ROWS * CHUNK);
    const writes = Array.from({ length: 40 }, (_, i) => {
      const at = (i * 7919) % (model.length - 5000);
      model.set(fill(3000 + i, i), at);
      return disk.writeRequest(at, fill(3000 + i, i), 0);
    });
    assert.deepEqual(disk.together(writes), writes.map(() => 0));
    disk.giveBack();
    assertSameBytes(disk.read(0, model.length), model);
    disk.close();
    assertParity(paths.map(fusedContents), JOURNAL, CHUNK);
  });
});

Deno.test("parity goes on with a rebuild where the last server has stopped", () => {
  const chunk = 1 << 20;
  const rows = 160;
  const journal = 32 << 20;
  withFiles([0, 1, 2].map(() => new Uint8Array(0)), (paths) => {
    for (const path of paths) Deno.truncateSync(path, 65536 + journal + rows * chunk);
    const files = paths.map((path) => node(`file ${path}`));
    const log: string[] = [];
    const first = client(node(`parity create=true chunk=1M journal=32M`, ...files), log);
    workUntil(first, () => metric(first, "rebuild_left") <= 80 * chunk);
    first.close();
    const second = client(node("parity", ...files), log);
    inOrder(second);
    second.close();
    assert.match(log.join("\n"), /rebuild of device 2 begins at 67108864 of 167772160 bytes/);
  });
});

Deno.test("parity refuses what is not its array, with a sentence", () => {
  withDevices(4, (paths) => {
    const refused = (order: string[], parameters: string, why: RegExp) => {
      assert.throws(() => array(order, parameters), why);
    };
    const [a, b, c, d] = paths as [string, string, string, string];
    const three = [a, b, c];
    refused(three, "", /no device is part of one; create=true makes one of them/);
    refused(three, " create=true chunk=5K", /a chunk of 5120 bytes is no power of two/);
    refused(three, " create=true chunk=64K journal=64K", /the journal has to have 819200 bytes/);
    refused(three, " create=true", /device 0 is too small: it has to have 33685504 bytes/);
    const disk = array(three, CREATE);
    inOrder(disk);
    disk.close();
    refused(three, CREATE, /device 0 is part of an array already/);
    refused([a, c, b], "", /device 1 is number 2 of the array; write the devices in their order/);
    refused(paths, "", /it has 3 devices, not 4/);
    refused([a, b, d], " rebuild=0", /device 0 cannot be rebuilt while device 2 is missing/);
    refused([a, b, c], " rebuild=3", /device 3 is to be rebuilt, but the devices are 0 to 2/);
    const another = [...three.map((path) => `${path}.other`)];
    another.forEach((path) => Deno.writeFileSync(path, fill(DEVICE_BYTES + FUSE_BYTES, 5)));
    another.forEach((path) => breakDevice(path, 0));
    array(another, CREATE).close();
    refused([a, b, another[2]!], "", /device 2 belongs to another array/);
    Deno.truncateSync(c, DEVICE_BYTES);
    refused(three, "", /device 2 is too small/);
  });
});

Deno.test("parity does not take a device back that has missed something", () => {
  withDevices(3, (paths) => {
    const disk = array(paths, CREATE);
    inOrder(disk);
    disk.write(0, fill(30_000, 1));
    const old = Deno.readFileSync(paths[2]!);
    disk.close();
    // The array goes on with another device in its place, and then the old one is back.
    Deno.writeFileSync(paths[2]!, new Uint8Array(DEVICE_BYTES + FUSE_BYTES));
    const rebuilt = array(paths, " rebuild=2");
    inOrder(rebuilt);
    rebuilt.write(0, fill(30_000, 2));
    rebuilt.close();
    Deno.writeFileSync(paths[2]!, old);
    const log: string[] = [];
    const again = array(paths, "", log);
    assertSameBytes(again.read(0, 30_000), fill(30_000, 2));
    assert.match(log.join("\n"), /device 2 is missing or out of date/);
    again.close();
  });
});
