// SPDX-License-Identifier: MIT
// What is left on the devices is looked at after every step of a write, as if the server had been killed
// there: nothing that was acknowledged is lost, a row is as it was or as it was to be, the parity is right
// when the journal has been repeated, and all of this holds when a device has gone together with the server.

import assert from "node:assert/strict";
import type { TestClient } from "../../core/backend/testing.ts";
import { Command } from "../../core/block/request.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import { assertSameBytes, metric, withFiles, workUntil } from "../test_nodes.ts";
import { assertParity, dataStart } from "./test_array.ts";

await useNodes("parity", "delay", "cache");

const CHUNK = 4096;
const JOURNAL = 131072;
const ROWS = 6;
const DEVICE_BYTES = dataStart(JOURNAL) + ROWS * CHUNK;

/** A cache that keeps what is written until it is flushed: what a power failure takes. */
const VOLATILE = "cache cache-write-delay=1h";

/** An array whose requests to the devices in `slow` end in a later turn, so that there are many steps. */
function array(
  paths: string[],
  parameters = "",
  { slow = 0, volatile = false } = {},
): TestClient {
  const devices = paths.map((path, i) => {
    const file = node(`file ${path}`);
    const device = (slow >> i & 1) === 0 ? file : node("delay rdelay=1us wdelay=1us", file);
    return volatile ? node(VOLATILE, device) : device;
  });
  return client(node(`parity${parameters}`, ...devices));
}

interface Change {
  at: number;
  data: Uint8Array<ArrayBuffer>;
}

/** States of the devices after each step, and whether the change was acknowledged by then. */
interface Snapshot {
  devices: Uint8Array<ArrayBuffer>[];
  acknowledged: boolean;
}

/** Makes the change and takes snapshots of all steps that differ. */
function steps(disk: TestClient, paths: string[], { at, data }: Change): Snapshot[] {
  const snapshots: Snapshot[] = [];
  const take = (acknowledged: boolean) => {
    const devices = paths.map((path) => Deno.readFileSync(path));
    const last = snapshots.at(-1);
    const same = last?.acknowledged === acknowledged &&
      devices.every((bytes, i) => equal(bytes, last.devices[i]!));
    if (!same) snapshots.push({ devices, acknowledged });
  };
  let ended = false;
  const request = disk.writeRequest(at, data, 0);
  request.sink = { completed: (_request, errno) => ended = errno === 0 };
  take(false);
  if (disk.opened.submit(request) === 0) ended = true;
  while (!ended) {
    take(ended);
    disk.device.submitQueued();
    disk.device.reap();
  }
  take(true);
  disk.giveBack();
  return snapshots;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Fails unless every row of the change is as before or as after it, all after it once acknowledged. */
function assertAtomic(
  got: Uint8Array,
  before: Uint8Array,
  after: Uint8Array,
  rowBytes: number,
  acknowledged: boolean,
): void {
  for (let at = 0; at < before.length; at += rowBytes) {
    const row = (bytes: Uint8Array) => bytes.subarray(at, at + rowBytes);
    if (acknowledged || !equal(row(got), row(before))) {
      assertSameBytes(row(got), row(after), `row ${at / rowBytes}`);
    }
  }
}

/** Starts an array of what is left, without device `lost` (-1: with all), and looks at it. */
function look(
  { devices, acknowledged }: Snapshot,
  lost: number,
  before: Uint8Array,
  after: Uint8Array,
): void {
  const left = devices.map((bytes, i) => i === lost ? new Uint8Array(bytes.length) : bytes);
  withFiles(left, (paths) => {
    const disk = array(paths);
    const got = disk.read(0, before.length);
    assertAtomic(got, before, after, (devices.length - 1) * CHUNK, acknowledged);
    disk.close();
    if (lost < 0) assertParity(paths.map((path) => Deno.readFileSync(path)), JOURNAL, CHUNK);
    else {
      const rebuilt = array(paths, ` rebuild=${lost}`);
      workUntil(rebuilt, () => metric(rebuilt, "missing") === 0);
      assertSameBytes(rebuilt.read(0, got.length), got);
      rebuilt.close();
      assertParity(paths.map((path) => Deno.readFileSync(path)), JOURNAL, CHUNK);
    }
  });
}

const CHANGES: Record<string, (rowBytes: number) => Change> = {
  "a part of a chunk": () => ({ at: 5000, data: fill(1000, 99) }),
  "parts of two chunks": () => ({ at: CHUNK - 100, data: fill(300, 99) }),
  "a whole row": (rowBytes) => ({ at: rowBytes, data: fill(rowBytes, 99) }),
  "parts of three rows": (rowBytes) => ({ at: rowBytes - 50, data: fill(rowBytes + 5000, 99) }),
};

/** Ways to set the devices up: how many, which are slow, and whether only what is flushed is kept. */
const SETUPS = [
  { count: 3, slow: 0b001, volatile: false },
  { count: 3, slow: 0b110, volatile: false },
  { count: 3, slow: 0b111, volatile: false },
  { count: 4, slow: 0b1111, volatile: false },
  { count: 3, slow: 0b111, volatile: true },
  { count: 4, slow: 0b0110, volatile: true },
];

for (const { count, slow, volatile } of SETUPS) {
  for (const [name, make] of Object.entries(CHANGES)) {
    const how = volatile ? "power fails" : "it is killed";
    Deno.test(`parity of ${count} loses nothing when ${how} in a write of ${name} (${slow})`, () => {
      withFiles(Array.from({ length: count }, () => new Uint8Array(DEVICE_BYTES)), (paths) => {
        const rowBytes = (count - 1) * CHUNK;
        array(paths, ` create=true chunk=${CHUNK} journal=${JOURNAL}`).close();
        const disk = array(paths, "", { slow, volatile });
        workUntil(disk, () => metric(disk, "missing") === 0);
        const before = fill(ROWS * rowBytes, 3);
        disk.write(0, before);
        const change = make(rowBytes);
        const after = before.slice();
        after.set(change.data, change.at);
        const snapshots = steps(disk, paths, change);
        disk.close();
        assert(snapshots.length > 2, `${snapshots.length} steps`);
        snapshots.forEach((snapshot, i) => {
          look(snapshot, -1, before, after);
          look(snapshot, i % count, before, after);
        });
      });
    });
  }
}

Deno.test("parity keeps what was acknowledged before a device failed and the server was killed", () => {
  withFiles(Array.from({ length: 3 }, () => new Uint8Array(DEVICE_BYTES)), (paths) => {
    array(paths, ` create=true chunk=${CHUNK} journal=${JOURNAL}`).close();
    const disk = array(paths);
    workUntil(disk, () => metric(disk, "missing") === 0);
    disk.write(0, fill(40_000, 1));
    const devices = paths.map((path) => Deno.readFileSync(path));
    const before = disk.read(0, ROWS * 2 * CHUNK);
    disk.close();
    // Without a checkpoint everything is in the journal still.
    for (const lost of [0, 1, 2]) look({ devices, acknowledged: true }, lost, before, before);
  });
});

Deno.test("parity repeats a journal that goes around many times", () => {
  withFiles(Array.from({ length: 3 }, () => new Uint8Array(DEVICE_BYTES)), (paths) => {
    array(paths, ` create=true chunk=${CHUNK} journal=${JOURNAL}`).close();
    const disk = array(paths, "", { slow: 0b010 });
    workUntil(disk, () => metric(disk, "missing") === 0);
    const model = new Uint8Array(ROWS * 2 * CHUNK);
    for (let i = 0; i < 120; i++) {
      const length = 1 + (i * 997) % 9000;
      const at = (i * 3571) % (model.length - length);
      disk.write(at, fill(length, i));
      model.set(fill(length, i), at);
      if (i % 10 !== 0) continue;
      const devices = paths.map((path) => Deno.readFileSync(path));
      look({ devices, acknowledged: true }, i / 10 % 4 - 1, model, model);
    }
    assert.equal(disk.opened.submit(disk.request(Command.Flush, 0, 0n, 0)), 0);
    disk.close();
  });
});
