// SPDX-License-Identifier: MIT
// parity under many requests at a time, with a device that fails in the middle and a server that is killed at
// any moment: every byte is what the last write that was acknowledged has made it, or one that was not.

import assert from "node:assert/strict";
import type { TestClient } from "../../core/backend/testing.ts";
import type { DeviceOptions } from "../../core/control/options.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import {
  assertSameBytes,
  breakDevice,
  Fuse,
  FUSE_BYTES,
  metric,
  randomFrom,
  withFiles,
  workUntil,
} from "../test_nodes.ts";
import { assertParity, dataStart } from "./test_array.ts";

const FUSE = "lib/test-fuse";
await useNodes("parity", "delay", "cache", FUSE);

const CHUNK = 4096;
const JOURNAL = 262144;
const ROWS = 16;
const DEVICE_BYTES = dataStart(JOURNAL) + ROWS * CHUNK + FUSE_BYTES;
const COUNT = 4;
const SIZE = ROWS * (COUNT - 1) * CHUNK;

/** A device that is slow and can be broken; every second one loses what is not flushed. */
const device = (path: string, i: number): DeviceOptions =>
  i % 2 === 0 ? fused(path, i) : node("cache cache-write-delay=1h", fused(path, i));

const fused = (path: string, i: number): DeviceOptions =>
  node(`delay rdelay=${1 + i * 13}us wdelay=${1 + i * 29}us`, node(FUSE, node(`file ${path}`)));

function array(paths: string[], parameters = ""): TestClient {
  return client(node(`parity${parameters}`, ...paths.map(device)));
}

/** What may be in each byte: what was acknowledged last, and what was begun after it. */
class Possible {
  readonly #values = Array.from({ length: SIZE }, () => [0]);

  begin(at: number, data: Uint8Array): void {
    data.forEach((byte, i) => this.#values[at + i]!.push(byte));
  }

  /** Of the writes of a byte that were under way together any may be the last one. */
  end(at: number, data: Uint8Array): void {
    data.forEach((_byte, i) => {
      const values = this.#values[at + i]!;
      if (values.length === 2) values.shift();
    });
  }

  assertHolds(bytes: Uint8Array, what: string): void {
    const at = bytes.findIndex((byte, i) => !this.#values[i]!.includes(byte));
    if (at >= 0) assert.fail(`${what}: byte ${at} is ${bytes[at]}, not ${this.#values[at]}`);
  }

  /** What the disk holds now is what is known. */
  settle(bytes: Uint8Array): void {
    bytes.forEach((byte, i) => this.#values[i] = [byte]);
  }
}

interface Writing {
  at: number;
  data: Uint8Array<ArrayBuffer>;
  done: boolean;
}

/** Keeps up to 12 writes under way until `total` are done, or `killed` says that this is the end. */
function writeAtOnce(
  disk: TestClient,
  possible: Possible,
  random: (bound: number) => number,
  total: number,
  killed: (done: number) => boolean,
): void {
  const under: Writing[] = [];
  let begun = 0;
  let done = 0;
  const submit = () => {
    const length = 1 + random(random(3) === 0 ? 30_000 : 3000);
    const writing: Writing = {
      at: random(SIZE - length),
      data: fill(length, random(256)),
      done: false,
    };
    possible.begin(writing.at, writing.data);
    const request = disk.writeRequest(writing.at, writing.data, 0);
    request.sink = {
      completed: (_request, errno) => {
        assert.equal(errno, 0, request.errorText);
        writing.done = true;
      },
    };
    under.push(writing);
    begun++;
    if (disk.opened.submit(request) === 0) writing.done = true;
  };
  while (done < total) {
    while (begun < total && under.length < 12) submit();
    if (killed(done)) return;
    disk.device.submitQueued();
    disk.device.reap();
    for (let i = under.length - 1; i >= 0; i--) {
      const one = under[i]!;
      if (!one.done) continue;
      under.splice(i, 1);
      done++;
      possible.end(one.at, one.data);
    }
  }
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`parity loses nothing when it is killed under load (${seed})`, () => {
    withFiles(Array.from({ length: COUNT }, () => new Uint8Array(DEVICE_BYTES)), (paths) => {
      const random = randomFrom(seed * 77);
      const possible = new Possible();
      array(paths, ` create=true chunk=${CHUNK} journal=${JOURNAL}`).close();
      let lost = -1;
      for (let life = 0; life < 4; life++) {
        const disk = array(paths, lost < 0 ? "" : ` rebuild=${lost}`);
        const before = disk.read(0, SIZE);
        possible.assertHolds(before, `life ${life}`);
        possible.settle(before);
        if (random(2) === 0) workUntil(disk, () => metric(disk, "missing") === 0);
        const whole = metric(disk, "missing") === 0;
        // One device fails under way, where none is missing.
        lost = whole ? random(COUNT) : lost;
        const breaksAt = whole ? random(30) : Infinity;
        const ends = 20 + random(40);
        let snapshot: Uint8Array<ArrayBuffer>[] = [];
        writeAtOnce(disk, possible, random, 80, (done) => {
          if (done >= breaksAt) breakDevice(paths[lost]!, Fuse.All);
          if (done < ends) return false;
          snapshot = paths.map((path) => Deno.readFileSync(path));
          return true;
        });
        // What is left of the server's work must not reach the files that the next one gets.
        disk.giveBack();
        paths = paths.map((path) => `${path}+`);
        paths.forEach((path, i) => Deno.writeFileSync(path, snapshot[i]!));
        for (const path of paths) breakDevice(path, 0);
      }
      const last = array(paths, lost < 0 ? "" : ` rebuild=${lost}`);
      workUntil(last, () => metric(last, "missing") === 0);
      const bytes = last.read(0, SIZE);
      possible.assertHolds(bytes, "at the end");
      last.close();
      const contents = paths.map((path) => Deno.readFileSync(path).slice(0, -FUSE_BYTES));
      assertParity(contents, JOURNAL, CHUNK);
      const again = array(paths);
      assertSameBytes(again.read(0, SIZE), bytes);
      again.close();
    });
  });
}
