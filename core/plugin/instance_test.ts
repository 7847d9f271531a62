// SPDX-License-Identifier: MIT
// The life of a plugin: parameters, readiness, exports, opening and closing, capabilities.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import { Support } from "../block/export.ts";
import { TestPlugin, text } from "./test_device.ts";
import { diskWat } from "./test_plugins.ts";

const OK = "(i32.const 0)";

/** Throws with this errno and message. */
function fails(run: () => unknown, errno: number, message: RegExp): void {
  assert.throws(run, (error) => {
    assert(error instanceof BlockError, String(error));
    assert.equal(error.errno, errno, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Writes a record of 16 bytes at the address in the first word: index, value. */
const RECORDER = `
  (func $record (param $index i64) (param $value i64) (local $at i32)
    (local.set $at (i32.add (i32.load (i32.const 0)) (i32.const 16)))
    (i32.store (i32.const 0) (local.get $at))
    (i64.store (local.get $at) (local.get $index))
    (i64.store offset=8 (local.get $at) (local.get $value)))
  (func (export "sb_param_int") (param i32 i64)
    (call $record (i64.extend_i32_u (local.get 0)) (local.get 1)))
  (func (export "sb_param_bytes") (param i32 i32 i32)
    (call $record (i64.extend_i32_u (local.get 0)) (i64.extend_i32_u (local.get 2)))
    (memory.copy (i32.add (i32.load (i32.const 0)) (i32.const 16)) (local.get 1) (local.get 2))
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 32))))`;

Deno.test("parameters are delivered typed, in the order of the manifest", () => {
  const names = ["int", "size", "bool", "enum", "duration", "percentage"];
  const parameters = names.map((name) => {
    return { name, type: name, ...(name === "enum" ? { values: ["a", "b", "c"] } : {}) };
  });
  const plugin = new TestPlugin(diskWat({}, RECORDER), {
    manifest: { parameters },
    parameters: ["percentage=1%", "duration=1us", "enum=c", "bool=on", "size=8E", "int=-5"]
      .map((arg) => arg.replace("8E", "9223372036854775807")),
  });
  const { view } = plugin.device.memory;
  const records = names.map((_, index) => view.getBigInt64(16 + index * 16 + 8, true));
  assert.deepEqual(records, [-5n, 2n ** 63n - 1n, 1n, 2n, 1000n, 10000n]);
  assert.deepEqual(names.map((_, index) => view.getUint8(16 + index * 16)), [0, 1, 2, 3, 4, 5]);
});

Deno.test("texts are delivered as bytes, lists and repeated ones one element at a time", () => {
  const plugin = new TestPlugin(diskWat({}, RECORDER), {
    manifest: {
      parameters: [
        { name: "s", type: "string", repeated: true },
        { name: "l", type: "list" },
        { name: "p", type: "path" },
        { name: "k", type: "secret" },
        { name: "absent", type: "string" },
      ],
    },
    parameters: ["s=\u00e9", "s=", "l=x,yy", "p=disk", "k=hunter2"],
  });
  const { bytes, view } = plugin.device.memory;
  const seen = [];
  for (let at = 16; at <= view.getUint32(0, true) - 32; at += 48) {
    const length = view.getUint32(at + 8, true);
    const content = new TextDecoder().decode(bytes.subarray(at + 16, at + 16 + length));
    seen.push([view.getUint32(at, true), content]);
  }
  assert.deepEqual(seen, [[0, "\u00e9"], [0, ""], [1, "x"], [1, "yy"], [2, "/base/disk"], [
    3,
    "hunter2",
  ]]);
});

Deno.test("a plugin that is not ready says why", () => {
  const ready = (body: string) =>
    new TestPlugin(
      diskWat({}, `(func (export "sb_ready") (result i32) ${body}) ${text(100, "no size given")}`),
    );
  ready(OK);
  fails(
    () => ready("(call $error_text (i32.const 100) (i32.const 13)) (i32.const 22)"),
    Errno.EINVAL,
    /^cannot start plugin "test": no size given$/,
  );
  fails(() => ready("(i32.const 12)"), Errno.ENOMEM, /^cannot start plugin "test": ENOMEM$/);
  fails(() => ready("unreachable"), Errno.EIO, /^plugin "test" trapped: unreachable in sb_ready$/);
  fails(() => ready("(i32.const -1)"), Errno.EIO, /^cannot start plugin "test": .* returned -1/);
});

Deno.test("a start function and _initialize run once, before everything else", () => {
  const plugin = new TestPlugin(diskWat(
    {},
    `
    (func $begin (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))))
    (start $begin)
    (func (export "_initialize")
      (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.load (i32.const 0)))))
    (func (export "sb_ready") (result i32) (i32.sub (i32.load (i32.const 4)) (i32.const 1)))`,
  ));
  plugin.read(0, 10);
  assert.equal(plugin.device.memory.view.getUint32(4, true), 1);
  fails(
    () => new TestPlugin(diskWat({}, `(func $begin unreachable) (start $begin)`)),
    Errno.EIO,
    /^plugin "test" trapped: unreachable in its start function$/,
  );
  fails(
    () => new TestPlugin(diskWat({}, `(func (export "_initialize") unreachable)`)),
    Errno.EIO,
    /in _initialize$/,
  );
  fails(
    () => new TestPlugin(diskWat({}, `(data (i32.const 262143) "xx")`)),
    Errno.EIO,
    /data segment .* out of bounds.* in its start function$/,
  );
});

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

Deno.test("sizes go up to 2^63-1, negative ones are errors", () => {
  const sized = (size: bigint) => {
    const export_ = `(func (export "sb_size") (param i32) (result i64) (i64.const ${size}))`;
    return new TestPlugin(diskWat({ sb_size: export_ })).opened.info;
  };
  assert.deepEqual([sized(0n).sizeHigh, sized(0n).sizeLow], [0, 0]);
  const largest = sized(2n ** 63n - 1n);
  assert.deepEqual([largest.sizeHigh, largest.sizeLow], [0x7fffffff, 0xffffffff]);
  fails(() => sized(-5n), Errno.EIO, /^cannot get the size of an export: EIO$/);
  fails(() => sized(-(2n ** 63n)), Errno.EIO, /which is no errno; they are 1 to 133$/);
});

Deno.test("a handle is closed with the export, and when opening goes on to fail", () => {
  const close = `(func (export "sb_close") (param i32) (i32.store (i32.const 0) (local.get 0)))`;
  const plugin = new TestPlugin(diskWat({}, close));
  plugin.opened.close();
  assert.equal(plugin.device.memory.view.getUint32(0, true), 7);
  const size = `(func (export "sb_size") (param i32) (result i64) (i64.const -5))`;
  const failing = new TestPlugin(diskWat({ sb_size: size }, close));
  assert.throws(() => failing.opened, BlockError);
  assert.equal(failing.device.memory.view.getUint32(0, true), 7);
});

Deno.test("trouble in sb_close and sb_stop is logged and harms nobody", () => {
  const plugin = new TestPlugin(diskWat(
    {},
    `
    (func (export "sb_close") (param i32) unreachable) (func (export "sb_stop") unreachable)`,
  ));
  plugin.opened.close();
  plugin.device.close();
  assert.equal(plugin.lines.length, 2);
  assert.match(plugin.lines[0]!, /^error: plugin "test": trapped: unreachable in sb_close \(/);
  assert.match(plugin.lines[1]!, /^error: plugin "test": trapped: unreachable in sb_stop \(/);
});

Deno.test("capabilities follow from what is exported", () => {
  const range = (name: string) =>
    `(func (export "${name}") (param i32 i32 i64 i64 i32) (result i32) ${OK})`;
  const can = (more: string, options = {}, disk = {}) =>
    new TestPlugin(diskWat(disk, more), options).opened.info.can;
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${OK})`;
  const { None, Emulate, Native } = Support;
  assert.deepEqual(can(""), {
    write: Native,
    flush: None,
    fua: None,
    trim: None,
    zero: Emulate,
    fastZero: Emulate,
    cache: None,
    extents: None,
    multiConn: Native,
  });
  const all = ["sb_trim", "sb_zero", "sb_cache", "sb_extents"].map(range).join("") + flush;
  assert.deepEqual(can(all, { instances: 2 }), {
    write: Native,
    flush: Native,
    fua: Emulate,
    trim: Native,
    zero: Native,
    fastZero: None,
    cache: Native,
    extents: Native,
    multiConn: None,
  });
  // Nothing that changes the device remains where it cannot be written; nothing can be missed then.
  assert.deepEqual(can(all, { instances: 2 }, { sb_pwrite: "" }), {
    write: None,
    flush: Native,
    fua: None,
    trim: None,
    zero: None,
    fastZero: None,
    cache: Native,
    extents: Native,
    multiConn: Native,
  });
});

Deno.test("an export that is opened read-only has no capability to change it", () => {
  const { device } = new TestPlugin(diskWat());
  const { info } = device.open("", { readOnly: true, peer: "" });
  assert.equal(info.readOnly, true);
  assert.equal(info.can.write, Support.None);
  assert.equal(info.can.zero, Support.None);
  assert.equal(info.can.fastZero, Support.None);
});

/** sb_info that stores values at indices of the struct. */
function informed(fields: Record<number, number>, more = "", disk = {}): TestPlugin {
  const stores = Object.entries(fields).map(([index, value]) =>
    `(i32.store offset=${Number(index) * 4} (local.get 1) (i32.const ${value}))`
  );
  const info = `(func (export "sb_info") (param i32 i32) (result i32)
    (memory.copy (i32.const 0) (local.get 1) (i32.const 56)) ${stores.join(" ")} ${OK})`;
  return new TestPlugin(diskWat(disk, `${info} ${more}`));
}

Deno.test("sb_info finds the defaults and overrides them", () => {
  const plugin = informed({ 1: 512, 2: 65536, 3: 1048576, 8: 0, 10: 1, 12: 0, 13: 1 });
  const { info } = plugin.opened;
  assert.deepEqual(info.blockSize, { minimum: 512, preferred: 65536, maximum: 1048576 });
  assert.equal(info.rotational, true);
  assert.equal(info.can.zero, Support.None);
  assert.equal(info.can.cache, Support.Emulate);
  assert.equal(info.can.multiConn, Support.None);
  const seen = Array.from({ length: 14 }, (_, index) => {
    return plugin.device.memory.view.getUint32(index * 4, true);
  });
  assert.deepEqual(seen, [56, 1, 4096, 33554432, 2, 0, 0, 0, 1, 1, 0, 0, 2, 0]);
});

Deno.test("what sb_info may not say is told by name", () => {
  const cases: [Record<number, number>, RegExp][] = [
    [{ 0: 60 }, /in sb_info: struct_size is 60; the host knows 56 bytes$/],
    [{ 1: 0 }, /block_minimum is 0; it must be a power of two, 1 to 65536$/],
    [{ 1: 3 }, /block_minimum is 3/],
    [{ 1: 131072 }, /block_minimum is 131072/],
    [{ 2: 256 }, /block_preferred is 256; it must be a power of two, 512 to 33554432$/],
    [{ 1: 8192 }, /block_preferred is 4096; it must be a power of two, 8192 to/],
    [{ 3: 4000 }, /block_maximum is 4000; it must be a multiple of block_minimum/],
    [{ 1: 4096, 3: 4097 }, /block_maximum is 4097/],
    [{ 4: 3 }, /write is 3; it must be 0, 1 or 2$/],
    [{ 4: 1 }, /the host cannot emulate write$/],
    [{ 5: 2 }, /flush is native, but there is no function "sb_flush"$/],
    [{ 6: 1 }, /fua is emulated, but there is no function "sb_flush"$/],
    [{ 7: 2 }, /trim is native, but there is no function "sb_trim"$/],
    [{ 8: 2 }, /zero is native, but there is no function "sb_zero"$/],
    [{ 11: 2 }, /extents is native, but there is no function "sb_extents"$/],
    [{ 13: 2 }, /rotational is 2; it must be 0 or 1$/],
  ];
  for (const [fields, message] of cases) {
    fails(() => informed(fields).opened, Errno.EIO, message);
  }
  const zero = `(func (export "sb_zero") (param i32 i32 i64 i64 i32) (result i32) ${OK})`;
  fails(
    () => informed({ 8: 1, 9: 2 }, zero).opened,
    Errno.EIO,
    /fastZero is native, but zero is not$/,
  );
  assert.equal(informed({ 3: -1 }).opened.info.blockSize.maximum, 0xffffffff);
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
    return plugin.device.memory.bytes[request.pieceValue(0)];
  };
  assert.deepEqual([read(three), read(six), read(three)], [3, 6, 3]);
});

Deno.test("what a plugin logs is one line each, by level, and not without end", () => {
  const ready = (body: string) =>
    new TestPlugin(diskWat(
      {},
      `(data (i32.const 100) "a\\nb\\1b[31m\\ff")
      (func (export "sb_ready") (result i32) (local i32) ${body} ${OK})`,
    ));
  const log = (level: number) => `(call $log (i32.const ${level}) (i32.const 100) (i32.const 9))`;
  assert.deepEqual(ready([0, 1, 2, 3].map(log).join("")).lines, [
    'error: plugin "test": a\\nb\\u001b[31m\ufffd',
    'warning: plugin "test": a\\nb\\u001b[31m\ufffd',
    'info: plugin "test": a\\nb\\u001b[31m\ufffd',
    'debug: plugin "test": a\\nb\\u001b[31m\ufffd',
  ]);
  fails(() => ready(log(4)), Errno.EIO, /log: 4 is no level; they are 0 to 3$/);
  fails(
    () => ready("(call $log (i32.const 0) (i32.const -1) (i32.const 2))"),
    Errno.EIO,
    /log: 2 bytes at 4294967295 are not in its memory$/,
  );
  const many = ready(`(loop ${log(2)}
    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))`);
  assert.equal(many.lines.length, 21);
});
