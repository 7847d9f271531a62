// SPDX-License-Identifier: MIT
// The filters readahead and scan: what they have got ready, when they do nothing, and that clients come
// first.

import assert from "node:assert/strict";
import type { TestClient } from "../../core/backend/testing.ts";
import { client, fill, node, open, start, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("cache", "delay", "memory", "nocache", "readahead", "scan");

const MIB = 1 << 20;
const CONTENT = fill(4 * MIB, 1);

function metric(disk: TestClient): number {
  const device = disk.device as unknown as { metrics(): { value: number }[] };
  return device.metrics()[0]!.value;
}

/** Lets the background work until it has nothing to do, but for timers a second away. */
function settle(disk: TestClient): void {
  const { device } = disk;
  for (let i = 0; i < 5000; i++) {
    if (!device.busy && device.nextMs - performance.now() > 500) return;
    disk.turn(5);
  }
  assert.fail("the background never comes to rest");
}

/** A disk that takes 2 ms to read, behind a cache. */
const SLOW = (path: string) =>
  node("cache cache-max-size=16M", node("delay rdelay=2ms", node(`file ${path}`)));

Deno.test("readahead has what comes next ready when it is asked for", () => {
  withFile(CONTENT, (path) => {
    const disk = client(node("readahead readahead-window=1M", SLOW(path)));
    for (let at = 0; at < 4 * MIB; at += 65536) {
      assertSameBytes(disk.read(at, 65536), CONTENT.subarray(at, at + 65536));
      settle(disk);
    }
    assert(disk.pended <= 2, `${disk.pended} of 64 reads had to wait`);
    assert(metric(disk) <= 4 * MIB, "nothing twice, and nothing beyond the end");
    disk.close();
  });
});

Deno.test("readahead leaves reads here and there alone", () => {
  withFile(CONTENT, (path) => {
    const disk = client(node("readahead", SLOW(path)));
    for (let i = 1; i < 40; i++) {
      const at = (i * 7919 % 60) * 65536;
      assertSameBytes(disk.read(at, 4096), CONTENT.subarray(at, at + 4096));
      settle(disk);
    }
    assert(metric(disk) <= 2 * 65536, `${metric(disk)} bytes`);
    disk.close();
  });
});

Deno.test("readahead passes a read on before it does anything else", () => {
  const disk = client(node("readahead", node("cache", node("memory 4M"))));
  disk.read(0, 65536);
  disk.read(65536, 65536);
  assert.equal(metric(disk), 0, "the second in a row, but the answer comes first");
  settle(disk);
  assert(metric(disk) >= 65536);
  disk.finish();
});

Deno.test("readahead and scan say once that what is below has no use for them", () => {
  for (const name of ["readahead", "scan"]) {
    const log: string[] = [];
    const device = start(node(`${name}`, node("nocache", node("memory 1M"))), log);
    for (let i = 0; i < 3; i++) {
      const disk = open(device);
      for (let at = 0; at < 5; at++) disk.read(at * 4096, 4096);
      settle(disk);
      assert.equal(metric(disk), 0, name);
      disk.opened.close();
    }
    const said = log.filter((line) => /no use for it; the filter cache below/.test(line));
    assert.equal(said.length, 1, `${log}`);
    device.close();
  }
});

Deno.test("a client may go while something is being read ahead for it", () => {
  withFile(CONTENT, (path) => {
    const device = start(node("readahead", SLOW(path)));
    for (let i = 0; i < 5; i++) {
      const disk = open(device);
      for (let at = 0; at < 4; at++) disk.read(at * 65536, 65536);
      disk.opened.close();
      if (i === 4) {
        settle(disk);
        disk.device.close();
      }
    }
  });
});

Deno.test("scan gets the whole disk ready, one piece after the other", () => {
  withFile(fill(4 * MIB + 1000, 1), (path) => {
    const disk = client(node("scan scan-size=256K", SLOW(path)));
    settle(disk);
    assert.equal(metric(disk), 4 * MIB + 1000);
    assertSameBytes(disk.read(0, 4 * MIB + 1000), fill(4 * MIB + 1000, 1));
    assert.equal(disk.pended, 0, "everything was there");
    settle(disk);
    assert.equal(metric(disk), 4 * MIB + 1000, "once");
    disk.close();
  });
});

Deno.test("scan stays ahead of clients, unless it is told not to", () => {
  for (const [options, expected] of [["", 1], ["scan-ahead=no", 4]] as const) {
    withFile(CONTENT, (path) => {
      const disk = client(node(`scan ${options}`.trim(), SLOW(path)));
      disk.read(3 * MIB - 4096, 4096);
      settle(disk);
      assert.equal(metric(disk), expected * MIB, options);
      disk.close();
    });
  }
});

Deno.test("scan stops with the last client, and goes on or begins again with the next", () => {
  for (const [options, expected] of [["", 4], ["scan-clock=no", 8]] as const) {
    withFile(CONTENT, (path) => {
      const device = start(node(`scan scan-size=1M ${options}`.trim(), SLOW(path)));
      const first = open(device);
      settle(first);
      first.opened.close();
      assert.equal(device.nextMs, Infinity);
      const second = open(device);
      settle(second);
      assert.equal(metric(second), expected * MIB, options);
      second.close();
    });
  }
});

Deno.test("scan that goes on for ever rests at the end of each round", () => {
  const disk = client(node("scan scan-forever=yes", node("cache", node("memory 4M"))));
  settle(disk);
  assert.equal(metric(disk), 4 * MIB);
  assert(disk.device.nextMs - performance.now() > 500);
  disk.finish();
});
