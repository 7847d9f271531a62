// SPDX-License-Identifier: MIT
// The exports of a plugin: listed, described, the default one, several open at a time.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { fails, TestPlugin, text } from "./test_device.ts";
import { diskWat } from "./test_plugins.ts";

const OK = "(i32.const 0)";

Deno.test("a plugin without sb_list has one export without a name", () => {
  const { device } = new TestPlugin(diskWat());
  assert.deepEqual(device.list(), [{ name: "", description: "For tests" }]);
  assert.equal(device.defaultExport(), "");
  fails(
    () => device.open("x", { readOnly: false, peer: "" }),
    Errno.ENOENT,
    /^cannot open the export "x": there is no such export$/,
  );
});

/** A plugin with the exports `one` and `zw\u00f6lf`, which sb_open tells apart by their length. */
const LISTING = `
  ${text(100, "one")} ${text(110, "zw\\c3\\b6lf").replaceAll("\\\\", "\\")} ${
  text(120, "the first\\n")
}
  (func (export "sb_list") (result i32)
    (call $export_add (i32.const 100) (i32.const 3) (i32.const 120) (i32.const 9))
    (call $export_add (i32.const 110) (i32.const 6) (i32.const 0) (i32.const 0)) ${OK})`;
const OPEN_BY_LENGTH = `(func (export "sb_open") (param i32 i32 i32) (result i32)
  (i32.store (i32.const 40) (local.get 1)) (i32.store (i32.const 44) (local.get 2))
  (if (i32.eq (local.get 1) (i32.const 4)) (then (return (i32.const -2))))
  (local.get 1))`;

Deno.test("exports are listed with descriptions and opened by name", () => {
  const { device } = new TestPlugin(diskWat({ sb_open: OPEN_BY_LENGTH }, LISTING));
  assert.deepEqual(device.list(), [
    { name: "one", description: "the first" },
    { name: "zw\u00f6lf", description: "" },
  ]);
  assert.equal(device.defaultExport(), null);
  assert.equal(device.open("zw\u00f6lf", { readOnly: true, peer: "" }).info.name, "zw\u00f6lf");
  assert.equal(device.memory.view.getUint32(40, true), 6);
  assert.equal(device.memory.view.getUint32(44, true), 1);
  fails(
    () => device.open("none", { readOnly: false, peer: "" }),
    Errno.ENOENT,
    /^cannot open the export "none": ENOENT$/,
  );
});

Deno.test("the default export is what sb_default says, or the only one there is", () => {
  const defaults = (body: string) =>
    new TestPlugin(
      diskWat({}, `${LISTING} (func (export "sb_default") (result i32) ${body} ${OK})`),
    );
  const setDefault = "(call $export_default (i32.const 100) (i32.const 3))";
  assert.equal(defaults(setDefault).device.defaultExport(), "one");
  assert.equal(defaults("").device.defaultExport(), null);
  fails(() => defaults(setDefault + setDefault).device.defaultExport(), Errno.EIO, /called twice$/);
  const only = `${text(100, "only")} (func (export "sb_list") (result i32)
    (call $export_add (i32.const 100) (i32.const 4) (i32.const 0) (i32.const 0)) ${OK})`;
  assert.equal(new TestPlugin(diskWat({}, only)).device.defaultExport(), "only");
});

Deno.test("lies about exports fail what asked for them", () => {
  const listing = (body: string) =>
    new TestPlugin(diskWat(
      {},
      `(func (export "sb_list") (result i32) (local i32) ${body} ${OK})
      (data (i32.const 100) "a\\00b\\ff")`,
    )).device.list();
  const add = (pointer: number, length: number) =>
    `(call $export_add (i32.const ${pointer}) (i32.const ${length}) (i32.const 0) (i32.const 0))`;
  fails(
    () => listing(add(100, 3)),
    Errno.EIO,
    /export_add: a name that is not UTF-8, or contains NUL$/,
  );
  fails(() => listing(add(103, 1)), Errno.EIO, /a name that is not UTF-8/);
  fails(() => listing(add(0, 4097)), Errno.EIO, /a name of 4097 bytes; it may have 4096$/);
  fails(() => listing(add(-1, 2)), Errno.EIO, /2 bytes at 4294967295 are not in its memory$/);
  fails(() => listing(add(262144, 1)), Errno.EIO, /are not in its memory$/);
  const loop = `(loop ${add(100, 1)}
    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 16385))))`;
  fails(() => listing(loop), Errno.EIO, /in sb_list: export_add: more than 16384$/);
  fails(
    () => listing("(call $export_default (i32.const 100) (i32.const 1))"),
    Errno.EIO,
    /export_default: it was not asked for the default$/,
  );
  const early = `(func (export "sb_ready") (result i32) ${add(0, 0)} ${OK})`;
  fails(
    () => new TestPlugin(diskWat({}, early)),
    Errno.EIO,
    /export_add: it was not asked for exports$/,
  );
});

Deno.test("sb_describe gives the description of an open export", () => {
  const plugin = new TestPlugin(diskWat(
    {},
    `${text(100, "my disk")}
    (func (export "sb_describe") (param i32) (result i32)
      (call $export_add (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 7)) ${OK})`,
  ));
  assert.equal(plugin.opened.info.description, "my disk");
  assert.equal(new TestPlugin(diskWat()).opened.info.description, "For tests");
});

Deno.test("a plugin can ask who the export is opened for, while it is opened", () => {
  const open = `(func (export "sb_open") (param i32 i32 i32) (result i32)
    (i32.store (i32.const 96) (call $peer (i32.const 100) (i32.const 5))) (i32.const 1))`;
  const plugin = new TestPlugin(diskWat(
    { sb_open: open },
    `
    (func (export "sb_flush") (param i32 i32 i32) (result i32) (call $peer (i32.const 0) (i32.const 0)))`,
  ));
  plugin.device.open("", { readOnly: false, peer: "unix:pid=1" });
  const { bytes } = plugin.device.memory;
  assert.equal(bytes[96], 10);
  assert.equal(new TextDecoder().decode(bytes.subarray(100, 106)), "unix:\0");
});

Deno.test("several exports are open at the same time, each with its handle", () => {
  const pread = `(func (export "sb_pread") (param i32 i32 i64 i64 i32) (result i32)
    (memory.fill (call $reply_buffer (local.get 1) (i64.const 0) (local.get 2))
      (local.get 0) (i32.wrap_i64 (local.get 2))) ${OK})`;
  const plugin = new TestPlugin(diskWat({ sb_open: OPEN_BY_LENGTH, sb_pread: pread }, LISTING));
  const open = (name: string) => plugin.device.open(name, { readOnly: false, peer: "" });
  const [three, six] = [open("one"), open("zw\u00f6lf")];
  const read = (opened: typeof three) => {
    const { request } = plugin;
    request.clear();
    request.command = 0;
    request.lengthLow = 1;
    assert.equal(opened.submit(request), 0);
    return plugin.device.memory.bytes[request.pieceValue(0) - plugin.device.memory.address];
  };
  assert.deepEqual([read(three), read(six), read(three)], [3, 6, 3]);
});
