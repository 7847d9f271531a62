// SPDX-License-Identifier: MIT
// Builds the disks everything.js and everything.py, makes their ioctls, and has the conformance kit look at them,
// without zones and with them.

import assert from "node:assert/strict";
import { TestClient } from "../../core/backend/testing.ts";
import { PluginDevice } from "../../core/plugin/instance.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { Watchdog } from "../../core/plugin/watch.ts";
import { checkPlugin, type NewPlugin, withNewPlugin } from "./new_plugin.ts";

const SWAP = 0xc0082a01;
const GET = 0x80082a02;
const CLEAR = 0x00002a03;
const CALL_MS = 20_000;

/** The end of the parameters in the manifest of the template, and another one behind it. */
const PARAMETERS_END = `}\n  ],\n  "limits"`;
const ZONED =
  `},\n    { "name": "zoned", "type": "bool", "description": "With zones", "default": false }\n  ],
  "limits"`;

/** Fails where the disk is not what it says. */
export async function tryEverything(plugin: NewPlugin): Promise<void> {
  const changed = { "manifest.json": [PARAMETERS_END, ZONED] } as const;
  await withNewPlugin({ ...plugin, changed }, async (cwd, module) => {
    askLabel(Deno.readFileSync(`${cwd}/${module}`));
    const said = await checkPlugin(plugin, cwd, module);
    assert.match(said, /^ok +secure-erase/m);
    assert.match(said, /^ok +ioctl/m);
    assert.match(await checkPlugin(plugin, cwd, module, "zoned=true"), /^ok +zones/m);
  });
}

function askLabel(bytes: Uint8Array<ArrayBuffer>): void {
  const prepared = preparePlugin(bytes);
  const watchdog = new Watchdog();
  const values = parseParameters(prepared.manifest.parameters, ["size=1M"]);
  const device = PluginDevice.create(prepared, values, {
    watch: watchdog.watch(CALL_MS),
    log: (_level, text) => assert.fail(text),
    instances: 1,
  });
  watchdog.stop();
  const open = (readOnly: boolean) => {
    return new TestClient(device, device.open("", { readOnly, peer: "test" }));
  };
  const disk = open(false);
  const name = new TextEncoder().encode("label 01");
  const nothing = new Uint8Array(8);
  assert.deepEqual([...disk.ioctl(SWAP, name)], [...nothing]);
  assert.deepEqual([...disk.ioctl(GET, nothing.slice())], [...name]);
  const other = open(true);
  assert.throws(() => other.ioctl(CLEAR, new Uint8Array()), { errno: 30 });
  assert.deepEqual([...other.ioctl(GET, nothing.slice())], [...name]);
  assert.equal(disk.ioctl(CLEAR, new Uint8Array()).length, 0);
  assert.deepEqual([...disk.ioctl(GET, name)], [...nothing]);
  assert.throws(() => disk.ioctl(0xc0082a04, name), { errno: 25 });
  disk.write(1000, Uint8Array.of(1, 2, 3));
  disk.secureErase(1001, 1);
  assert.deepEqual([...disk.read(1000, 3)], [1, 0, 3]);
  other.opened.close();
  disk.close();
}
