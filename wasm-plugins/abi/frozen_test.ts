// SPDX-License-Identifier: MIT
// Modules that were built for past minors of the ABI, as they were then. They must load and work in
// every later host: nobody has to build a plugin again. Never replace one of these files.

import assert from "node:assert/strict";
import { TestClient } from "../../core/backend/testing.ts";
import { type LogLevel, PluginDevice } from "../../core/plugin/instance.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { Watchdog } from "../../core/plugin/watch.ts";

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
  assert(count >= 2);
});
