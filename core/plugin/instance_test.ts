// SPDX-License-Identifier: MIT
// The life of a plugin: parameters, readiness, sizes, closing, what it logs.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import { fails, TestPlugin, text } from "./test_device.ts";
import { diskWat } from "./test_plugins.ts";

const OK = "(i32.const 0)";

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
