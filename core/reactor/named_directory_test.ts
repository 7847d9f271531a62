// SPDX-License-Identifier: MIT
// Exports of several devices as one client sees them: named by the server, some of them elsewhere.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import { Elsewhere } from "../nbd/directory.ts";
import type { DeviceOptions } from "../control/options.ts";
import { Agenda } from "../plugin/agenda.ts";
import { TestPlugin } from "../plugin/test_device.ts";
import { diskWat, laterWat } from "../plugin/test_plugins.ts";
import { NamedDirectory } from "./named_directory.ts";
import { Served } from "./served.ts";

const PLACE = 2;

function serve(plugin: TestPlugin, exportName: string, readOnly = false): Served {
  const device: DeviceOptions = { kind: "file", values: [] };
  const base = { device, watches: [], instances: 1, policy: null, profile: false };
  const start = { ...base, exportName, readOnly };
  return new Served(plugin.device, start, 1 << 20, () => {});
}

function directory(served: Served[], byDefault: string | null = null): NamedDirectory {
  const list = [
    { name: "far", description: "At another place", place: 1 },
    ...served.map(({ name }) => ({ name: name!, description: `About ${name}`, place: PLACE })),
  ];
  const exports = { list, default: byDefault };
  return new NamedDirectory(exports, PLACE, (name) => {
    return served.find((one) => one.name === name);
  }, "tcp:192.0.2.1:1");
}

function refused(run: () => unknown, errno: number, message: RegExp): void {
  assert.throws(run, (error) => {
    assert(error instanceof BlockError, String(error));
    assert.equal(error.errno, errno);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("exports are listed as the server has them, without a look at devices", () => {
  const closed = serve(
    new TestPlugin(diskWat(
      { sb_size: "" },
      `(func (export "sb_size")
    (param i32) (result i64) (i64.const -5))`,
    )),
    "near",
  );
  assert.deepEqual(directory([closed]).list(), [
    { name: "far", description: "At another place" },
    { name: "near", description: "About near" },
  ]);
  assert.equal(directory([closed], "far").defaultExport(), "far");
});

Deno.test("an export is opened here, elsewhere, or not at all", () => {
  const plugin = new TestPlugin(diskWat());
  const exports = directory([serve(plugin, "near"), serve(plugin, "fixed", true)]);
  const { info } = exports.open("near");
  assert.deepEqual([info.name, info.description, info.readOnly], ["near", "About near", false]);
  assert.equal(exports.open("fixed").info.readOnly, true);
  assert.throws(() => exports.open("far"), (error) => {
    return error instanceof Elsewhere && error.place === 1;
  });
  refused(() => exports.open("nothing"), Errno.ENOENT, /there is no export "nothing"/);
  // The plugin's own name for it is none of the server's.
  refused(() => exports.open(""), Errno.ENOENT, /there is no export ""/);
});

Deno.test("a client is announced to each device that it opens, once", () => {
  const wat = laterWat(`
    (func (export "sb_connect") (param i32 i32) (result i32)
      (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
      (i32.const 0))
    (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "sb_size") (param i32) (result i64) (i64.const 4096))
    (func (export "sb_pread") (param i32 i32 i64 i64 i32) (result i32) (i32.const 5))`);
  const make = () => new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda: new Agenda() });
  const [one, other] = [make(), make()];
  const exports = directory([serve(one, "one"), serve(other, "other")]);
  exports.list();
  for (let i = 0; i < 3; i++) exports.open("one").close();
  const asked = ({ device }: TestPlugin) => device.memory.view.getInt32(512, true);
  assert.deepEqual([asked(one), asked(other)], [1, 0]);
});

Deno.test("a device with several exports and none by default cannot have one name", () => {
  const list = `(func (export "sb_list") (result i32)
    (call $export_add (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))
    (call $export_add (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const 0))
    (data (i32.const 0) "ab")`;
  const exports = directory([serve(new TestPlugin(diskWat({}, list)), "near")]);
  refused(() => exports.open("near"), Errno.ENOENT, /its device has several and none by default/);
});
