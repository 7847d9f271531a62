// SPDX-License-Identifier: MIT
// Modules that were built for past minors of the ABI, as they were then. They must load and work in
// every later host: nobody has to build a plugin again. Never replace one of these files.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { TestClient } from "../../core/backend/testing.ts";
import { type LogLevel, PluginDevice } from "../../core/plugin/instance.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { diskWat, plugin } from "../../core/plugin/test_plugins.ts";
import { Watchdog } from "../../core/plugin/watch.ts";
import { assertSameBytes } from "../../tests/support/bytes.ts";
import { client as clientOf, fill, node, useModule, withFile } from "../test_graph.ts";
import { type ImageOptions, vdiDisk, vdiImage } from "../vdi/test_image.ts";

function client(file: string, ...args: string[]): TestClient {
  const prepared = preparePlugin(Deno.readFileSync(new URL(`frozen/${file}`, import.meta.url)));
  assert(file.startsWith(`${prepared.manifest.abi}/`), "it says for which minor it was built");
  const watchdog = new Watchdog();
  const values = parseParameters(prepared.manifest.parameters, args);
  const device = PluginDevice.create(prepared, values, {
    watch: watchdog.watch(10_000),
    log: (_level: LogLevel, text: string) => assert.fail(text),
    instances: 1,
  });
  watchdog.stop();
  return new TestClient(device, device.open("", { readOnly: false, peer: "test" }));
}

Deno.test("a RAM disk for 3.0 answers every request", () => {
  const disk = client("3.0/memory.wasm", "1M");
  const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => i * 31 & 255);
  disk.write(4096, bytes);
  assert.deepEqual(disk.read(4096, 50_000), bytes);
  disk.zero(4096, 8192);
  disk.trim(16384, 4096);
  disk.cache(0, 4096);
  disk.flush();
  assert.deepEqual(disk.read(4096, 8192), new Uint8Array(8192));
  assert.deepEqual(disk.extents(0, 1 << 20), [
    { length: 12288, flags: 3 },
    { length: 4096, flags: 0 },
    { length: 4096, flags: 3 },
    { length: 36864, flags: 0 },
    { length: (1 << 20) - 57344, flags: 3 },
  ]);
  disk.close();
});

Deno.test("a disk with parameters of several types for 3.0 has what they say", () => {
  const disk = client("3.0/data.wasm", "1 2 3", "size=4K");
  assert.deepEqual([...disk.read(0, 4)], [1, 2, 3, 0]);
  assert.equal(disk.opened.info.sizeLow, 4096);
  disk.close();
});

/** Has graphs be made of modules for 3.1, but for the RAM disk, which did not change. */
function use31(...names: string[]): void {
  const read = (file: string) => Deno.readFileSync(new URL(`frozen/${file}.wasm`, import.meta.url));
  useModule("memory", read("3.0/memory"));
  for (const name of names) useModule(name, read(`3.1/${name}`));
}

Deno.test("filters and nodes for 3.1 stand on one another, answer later, and log", () => {
  use31("stats", "cow", "cache", "delay", "mirror", "offset");
  const log: string[] = [];
  const half = () => node("delay rdelay=1us wdelay=1us", node("memory 1M"));
  const mirror = node("mirror", half(), half());
  const graph = node("stats", node("cow", node("cache", node("offset offset=4K", mirror))));
  const disk = clientOf(graph, log);
  const bytes = fill(100_000, 5);
  disk.write(3000, bytes);
  assertSameBytes(disk.read(3000, bytes.length), bytes);
  disk.trim(8192, 8192);
  disk.zero(20480, 4096);
  disk.flush();
  bytes.fill(0, 8192 - 3000, 16384 - 3000).fill(0, 20480 - 3000, 24576 - 3000);
  assertSameBytes(disk.read(3000, bytes.length), bytes);
  assert(disk.pended > 0);
  assert.equal(disk.opened.info.sizeLow, (1 << 20) - 4096);
  disk.close();
  assert.match(log.join("\n"), /writes: 1 of 100000 bytes/);
});

Deno.test("a filter for 3.1 whose calls wait reads its image", () => {
  use31("vdi");
  const image: ImageOptions = { map: [2, "free", 0, 1] };
  withFile(vdiImage(image), (path) => {
    const disk = clientOf(node("vdi", node(`file ${path}`)));
    assertSameBytes(disk.read(0, 4 * 4096), vdiDisk(image));
    disk.close();
  });
});

Deno.test("a component for 3.1 is a disk", () => {
  use31("component");
  const disk = clientOf(node("component"));
  disk.write(100, fill(5000, 1));
  assertSameBytes(disk.read(100, 5000), fill(5000, 1));
  disk.flush();
  disk.close();
});

/** A disk that can be erased for good. */
function erasable(): Uint8Array<ArrayBuffer> {
  const erase = `(func (export "sb_secure_erase") (param i32 i32 i64 i64 i32) (result i32)
    (i32.const 0))`;
  return plugin(diskWat({}, erase), { abi: "3.2" });
}

Deno.test("a filter that is a component for 3.1 tells what it knows of what is below it", () => {
  const bytes = Deno.readFileSync(new URL("frozen/3.1/component-filter.wasm", import.meta.url));
  // What it was built for is not what the manifest says.
  const text = Buffer.from(bytes).toString("latin1").replace(`"abi":"3.1"`, `"abi":"3.2"`);
  const asked = new Uint8Array(Buffer.from(text, "latin1"));
  useModule("erasable", erasable());
  for (const module of [bytes, asked]) {
    useModule("component-filter", module);
    const disk = clientOf(node("component-filter", node("erasable")));
    const { secureErase, ioctl, write, extents } = disk.opened.info.can;
    assert.deepEqual([secureErase, ioctl, write, extents], [0, 0, 2, 0]);
    disk.write(100, fill(5000, 1));
    assertSameBytes(disk.read(100, 5000), fill(5000, 1));
    disk.close();
  }
});

Deno.test("a filter for 3.1 does not let anything pass that came later", () => {
  const more = ["sb_secure_erase", "sb_ioctl"].map((name) => {
    const types = name === "sb_ioctl" ? "i32 i32 i32 i32 i32" : "i32 i32 i64 i64 i32";
    return `(func (export "${name}") (param ${types}) (result i32) (i32.const 0))`;
  });
  useModule("erasing", plugin(diskWat({}, more.join("")), { abi: "3.2" }));
  use31("stats", "offset");
  for (const name of ["stats", "offset"]) {
    const disk = clientOf(node(name, node("erasing")));
    const { secureErase, ioctl, write } = disk.opened.info.can;
    assert.deepEqual([secureErase, ioctl, write], [0, 0, 2], name);
    assert.throws(() => disk.secureErase(0, 4096), { errno: 95 });
    assert.throws(() => disk.ioctl(0x2a01, new Uint8Array()), { errno: 25 });
    disk.close();
  }
});

Deno.test("every module that was kept for a past minor is accepted, and says which minor that was", () => {
  const root = new URL("frozen/", import.meta.url);
  let count = 0;
  for (const { name: minor } of Deno.readDirSync(root)) {
    for (const { name } of Deno.readDirSync(new URL(`${minor}/`, root))) {
      const { manifest } = preparePlugin(Deno.readFileSync(new URL(`${minor}/${name}`, root)));
      assert.equal(manifest.abi, minor, name);
      assert.equal(`${manifest.name}.wasm`, name);
      count++;
    }
  }
  assert(count >= 30);
});
