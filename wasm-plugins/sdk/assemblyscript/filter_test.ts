// SPDX-License-Identifier: MIT
// The parts of the AssemblyScript SDK for filters, through two filters that are made with them, above
// devices that answer at once and devices that answer later.

import assert from "node:assert/strict";
import { Refused } from "../../../core/backend/testing.ts";
import type { PluginDevice } from "../../../core/plugin/instance.ts";
import { client, fill, node, start, useNodes, withFile } from "../../test_graph.ts";

const INVERT = "sdk/assemblyscript/example-filter";
const RELAY = "sdk/assemblyscript/test-filter";
const MIB = 1 << 20;
await useNodes(INVERT, RELAY, "delay", "memory");

/** What all of these are above: memory, and memory that answers later. */
const BELOW = [node("memory 1M"), node("delay rdelay=1ms wdelay=1ms", node("memory 1M"))];

BELOW.forEach((below, index) => {
  const when = index === 0 ? "at once" : "later";

  Deno.test(`the example stores all bits turned round (${when})`, () => {
    const disk = client(node(INVERT, below));
    const bytes = fill(5000, 3);
    disk.write(700, bytes);
    assert.deepEqual(disk.read(700, 5000), bytes);
    assert.deepEqual(disk.read(0, 3), Uint8Array.of(255, 255, 255), "zeroes below are not zeroes");
    disk.zero(1000, 100);
    assert.deepEqual(disk.read(1000, 100), new Uint8Array(100));
    disk.close();
  });

  Deno.test(`a filter can make every request anew (${when})`, () => {
    const disk = client(node(RELAY, below));
    const [child] = disk.opened.children!;
    const { blockSize } = child!.info;
    assert.equal(disk.opened.info.blockSize.preferred, 2 * blockSize.preferred);
    const model = new Uint8Array(MIB);
    const bytes = fill(70_001, 3);
    disk.write(4095, bytes);
    model.set(bytes, 4095);
    disk.zero(8192, 5000);
    model.fill(0, 8192, 8192 + 5000);
    disk.trim(20_480, 4096);
    model.fill(0, 20_480, 20_480 + 4096);
    disk.cache(0, 65536);
    disk.flush();
    assert.deepEqual(disk.read(0, MIB), model);
    assert.deepEqual(disk.read(4095, 1), model.subarray(4095, 4096));
    const extents = disk.extents(0, MIB);
    assert.equal(extents.at(-1)!.flags, 3);
    assert.equal(extents.reduce((sum, { length }) => sum + length, 0), MIB);
    assert.deepEqual(
      (disk.device as PluginDevice).metrics(),
      [{ name: "requests", value: 8 }],
    );
    disk.close();
  });

  Deno.test(`the end of many requests at a time is told to the right one (${when})`, () => {
    const disk = client(node(RELAY, below));
    const writes = Array.from({ length: 100 }, (_, i) => {
      return disk.writeRequest(i * 8192, fill(8192, i), 0);
    });
    assert.deepEqual(disk.together(writes), new Array(100).fill(0));
    for (let i = 0; i < 100; i++) assert.deepEqual(disk.read(i * 8192, 8192), fill(8192, i));
    disk.close();
  });
});

Deno.test("a filter can change the size of what is open", () => {
  const disk = client(node(`${RELAY} shrink=4K`, node("memory 1M")));
  disk.flush();
  assert.equal(disk.opened.info.sizeLow, MIB - 4096);
  disk.close();
});

Deno.test("a filter can refuse clients", () => {
  const device = start(node(`${RELAY} refuse=nobody`, node("memory 1M")));
  device.connect("somebody");
  assert.throws(() => device.connect("nobody"), /cannot admit nobody/);
  device.close();
});

Deno.test("errors from below are passed on", () => {
  withFile(new Uint8Array(MIB), (path) => {
    for (const filter of [INVERT, RELAY]) {
      const disk = client(node(filter, node(`file ${path}`)));
      Deno.truncateSync(path, 0);
      assert.throws(() => disk.read(0, 4096), Refused);
      disk.close();
      Deno.truncateSync(path, MIB);
    }
  });
});

Deno.test("the part of the example that the README shows is in it", () => {
  const read = (name: string) => Deno.readTextFileSync(`${import.meta.dirname}/${name}`);
  const [, , shown] = read("README.md").split("```ts ignore\n").map((part) =>
    part.split("```")[0]!
  );
  assert(read("example-filter/assembly/index.ts").includes(shown!));
});
