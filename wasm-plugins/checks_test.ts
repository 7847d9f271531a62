// SPDX-License-Identifier: MIT
// extentlist, checkwrite, noparallel: what is allocated by a list, writes that compare, requests in a row.

import assert from "node:assert/strict";
import { Refused } from "../core/backend/testing.ts";
import { Command } from "../core/block/request.ts";
import { client, fill, node, open, start, useNodes, withFile } from "./test_graph.ts";

const MIB = 1 << 20;
await useNodes("extentlist", "checkwrite", "noparallel", "memory", "delay", "pattern", "zero");

function withList(text: string, use: (line: string) => void): void {
  withFile(new TextEncoder().encode(text), (path) => use(`extentlist extentlist=${path}`));
}

Deno.test("extentlist: what is in the list is told, the rest is a hole", () => {
  const text =
    "# a comment\n2M 1M hole\n\n 0 0x1000\t0 # data\n1M 8s zero\r\n1028K 4K hole,zero\n3M 512 2\n5M 1";
  withList(text, (line) => {
    const disk = client(node(line, node("memory 4M")));
    const extents = [[4096, 0], [MIB - 4096, 3], [4096, 2], [4096, 3], [MIB - 8192, 3], [MIB, 1], [
      512,
      2,
    ]];
    extents.push([MIB - 512, 3]);
    const told = disk.extents(0, 4 * MIB);
    assert.deepEqual(
      joined(told),
      joined(extents.map(([length, flags]) => ({ length: length!, flags: flags! }))),
    );
    assert.deepEqual(disk.extents(4096, 4096), [{ length: 4096, flags: 3 }]);
    assert.deepEqual(disk.extents(MIB + 100, 8000, true), [{ length: 3996, flags: 2 }]);
    assert.equal(disk.extents(2 * MIB + 5, 10)[0]!.flags, 1);
    disk.write(2 * MIB, fill(10, 1));
    assert.equal(disk.extents(2 * MIB, 10)[0]!.flags, 1, "the list does not change");
    disk.close();
  });
});

/** Neighbours of the same kind as one. */
function joined(extents: { length: number; flags: number }[]): [number, number][] {
  const result: [number, number][] = [];
  for (const { length, flags } of extents) {
    const last = result.at(-1);
    if (last?.[1] === flags) last[0] += length;
    else result.push([length, flags]);
  }
  return result;
}

Deno.test("extentlist: a long list in any order", () => {
  const order = Array.from({ length: 3000 }, (_, i) => (i * 1667) % 3000);
  withList(order.map((i) => `${i * 2}s 1s`).join("\n"), (line) => {
    const disk = client(node(line, node("memory 4M")));
    const told = disk.extents(0, 3000 * 1024);
    assert(told.length > 1000);
    let at = 0;
    for (const { length, flags } of told) {
      assert.equal(length, 512);
      assert.equal(flags, at % 1024 === 0 ? 0 : 3);
      at += 512;
    }
    assert.equal(disk.extents(2999 * 1024 + 512, 4096)[0]!.length, 4096, "behind the last");
    disk.close();
  });
});

Deno.test("extentlist: a list that is no list is refused with the line", () => {
  const refused = (text: string, message: RegExp) => {
    withList(text, (line) => assert.throws(() => start(node(line, node("memory 1M"))), message));
  };
  refused("0 1M\nx", /cannot use line 2 of the list of extents: it must be an offset, a length/);
  refused("0", /line 1 .*it must be an offset/);
  refused("0 0", /line 1 .*its length is 0/);
  refused("1M 1M full", /line 1 .*its type must be hole, zero, hole,zero or a number from 0 to 3/);
  refused("1M 1M 4", /its type must be/);
  refused("1M 1M hole, zero", /its type must be/);
  refused("1M 1M 0 0", /its type must be/);
  refused("7E 7E", /it ends beyond what a device can have/);
  refused("1M 1M\n\n0 1M\n1535K 4K", /lines 1 and 4 overlap/);
  assert.throws(
    () => node("extentlist extentlist=/nowhere/list", node("memory 1M")),
    /cannot parse extentlist "\/nowhere\/list": No such file/,
  );
});

for (const later of [false, true]) {
  const below = () => later ? node("delay rdelay=1us", node("pattern 1M")) : node("pattern 1M");

  Deno.test(`checkwrite: writes of the same succeed, others fail (${later ? "later" : "at once"})`, () => {
    const content = client(node("pattern 1M"));
    const model = content.read(0, MIB);
    content.close();
    const disk = client(node("checkwrite", below()));
    disk.write(0, model);
    disk.write(777, model.subarray(777, 300_000));
    disk.flush();
    const wrong = model.slice(0, 300_000);
    wrong[299_999]! ^= 1;
    assert.throws(() => disk.write(0, wrong), {
      errno: 5,
      text: "what is written is not what is there, in the 37856 bytes from 262144",
    });
    assert.throws(() => disk.zero(0, 4096), Refused);
    assert.throws(() => disk.trim(4096, 4096), Refused);
    assert.deepEqual(disk.read(0, MIB), model);
    disk.close();
  });

  Deno.test(`checkwrite: zeroes and trims (${later ? "later" : "at once"})`, () => {
    withFile(new Uint8Array(0), (path) => {
      Deno.truncateSync(path, 1 << 30);
      const file = Deno.openSync(path, { write: true });
      file.seekSync(500 << 20, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(0, 0, 7));
      file.close();
      const leaf = node(`file ${path}`);
      const disk = client(node("checkwrite", later ? node("delay rdelay=1us", leaf) : leaf));
      disk.zero(0, 500 << 20);
      disk.trim((500 << 20) + 3, 500 << 20);
      disk.zero((500 << 20) - 10, 12);
      assert.throws(() => disk.zero(0, 1 << 30), { errno: 5 });
      assert.throws(() => disk.trim((500 << 20) + 2, 1), { errno: 5 });
      disk.close();
    });
  });
}

/** In which order reads of several clients are done, each named by its offset. */
function order(serialize: string, clients: number, each: number): number[] {
  const device = start(
    node(`noparallel serialize=${serialize}`, node("delay rdelay=1ms", node("memory 1M"))),
  );
  const all = Array.from({ length: clients }, () => open(device));
  const done: number[] = [];
  let left = 0;
  for (let i = 0; i < each; i++) {
    for (const [index, one] of all.entries()) {
      const request = one.request(Command.Read, index * 1000 + i, 10n, 0);
      request.sink = { completed: () => void (done.push(index * 1000 + i), left--) };
      left++;
      assert.equal(one.opened.submit(request), -1);
    }
  }
  const deadline = performance.now() + 5000;
  let closed = 0;
  while (left > 0 && performance.now() < deadline) {
    device.reap();
    // With connections the first has to go before the next gets on.
    if (serialize === "connections" && done.length === (closed + 1) * each) {
      all[closed++]!.opened.close();
    }
  }
  assert.equal(left, 0);
  for (; closed < clients; closed++) all[closed]!.opened.close();
  device.close();
  return done;
}

Deno.test("noparallel: requests of one client are done in their order", () => {
  const done = order("requests", 2, 10);
  for (const client of [0, 1]) {
    const own = done.filter((one) => Math.floor(one / 1000) === client);
    assert.deepEqual(own, [...own].sort((a, b) => a - b));
  }
  assert(done.slice(0, 4).some((one) => one >= 1000), "clients do not wait for each other");
});

Deno.test("noparallel: all requests are done in their order", () => {
  const expected = Array.from({ length: 10 }, (_, i) => [i, 1000 + i, 2000 + i]).flat();
  assert.deepEqual(order("all-requests", 3, 10), expected);
});

Deno.test("noparallel: all of one client, then all of the next", () => {
  const expected = Array.from({ length: 30 }, (_, i) => Math.floor(i / 10) * 1000 + i % 10);
  assert.deepEqual(order("connections", 3, 10), expected);
});

for (const serialize of ["requests", "all-requests", "connections"]) {
  Deno.test(`noparallel: everything works, one at a time (${serialize})`, () => {
    for (
      const below of [node("memory 1M"), node("delay wdelay=1us rdelay=1us", node("memory 1M"))]
    ) {
      const disk = client(node(`noparallel serialize=${serialize}`, below));
      disk.write(100, fill(5000, 1));
      disk.zero(200, 100);
      disk.flush();
      disk.trim(300_000, 4096);
      disk.cache(0, 4096);
      const model = fill(5000, 1);
      model.fill(0, 100, 200);
      assert.deepEqual(disk.read(100, 5000), model);
      assert(disk.extents(0, MIB).length > 0);
      const writes = Array.from({ length: 50 }, (_, i) => disk.writeRequest(i, fill(50, i), 0));
      assert.deepEqual(disk.together(writes), new Array(50).fill(0));
      assert.deepEqual(disk.read(49, 50), fill(50, 49));
      assert.equal(disk.opened.info.can.multiConn, serialize === "connections" ? 0 : 2);
      disk.close();
    }
  });
}
