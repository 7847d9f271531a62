// SPDX-License-Identifier: MIT
// A size that a plugin changes while an export is open, and filters above it.

import assert from "node:assert/strict";
import { Command } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { TestPlugin } from "./test_device.ts";
import { type Filter, filter, OK, SHIFT, SHIFTED } from "./test_filters.ts";
import { laterWat, RANGE } from "./test_plugins.ts";

/** A disk whose flush makes it one MiB larger, and whose trim makes it 8192 bytes. */
function changing(agenda: Agenda): TestPlugin {
  const wat = laterWat(
    `(global $size (mut i64) (i64.const 65536))
     (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 9))
     (func (export "sb_size") (param i32) (result i64) (global.get $size))
     (func (export "sb_pread") ${RANGE} (i32.const 5))
     (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) ${OK})
     (func $to (param $size i64) (result i32) (global.set $size (local.get $size))
       (call $resize (i32.const 9) (local.get $size)))
     (func (export "sb_flush") (param i32 i32 i32) (result i32)
       (call $to (i64.add (global.get $size) (i64.const 1048576))))
     (func (export "sb_trim") ${RANGE} (call $to (i64.const 8192))))`,
    ["resize"],
  ).replace(/\)\)$/, ")");
  return new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda });
}

function above(disk: TestPlugin, agenda: Agenda, functions: string, more: Filter = {}): TestPlugin {
  return filter(functions, { below: [disk], agenda, ...more });
}

Deno.test("a size that a plugin changes reaches filters above it, and those above them", () => {
  const agenda = new Agenda();
  const disk = changing(agenda);
  const shift = above(disk, agenda, SHIFTED);
  const top = above(shift, agenda, "");
  assert.equal(top.opened.info.sizeLow, 65536 - SHIFT);
  assert.equal(top.submit(Command.Flush), 0);
  assert.equal(agenda.nextMs, 0, "filters are asked when no plugin is being called");
  agenda.run(performance.now());
  assert.equal(shift.opened.info.sizeLow, 65536 + 1048576 - SHIFT);
  assert.equal(top.opened.info.sizeLow, 65536 + 1048576 - SHIFT);
  assert.equal(agenda.nextMs, Infinity);
  assert.equal(top.submit(Command.Trim, { length: 4096 }), 0);
  agenda.run(performance.now());
  assert.equal(top.opened.info.sizeLow, 8192 - SHIFT);
  const later = top.device.open("", { readOnly: true, peer: "" });
  assert.equal(later.info.sizeLow, 8192 - SHIFT);
  later.close();
});

Deno.test("a filter that cannot say its new size keeps the one it has", () => {
  const agenda = new Agenda();
  const disk = changing(agenda);
  const plugin = above(
    disk,
    agenda,
    `(global $asked (mut i32) ${OK})
     (func (export "sb_size") (param i32) (result i64)
       (if (global.get $asked) (then (return (i64.const -5))))
       (global.set $asked (i32.const 1)) (i64.const 4096))`,
  );
  plugin.submit(Command.Flush);
  agenda.run(performance.now());
  assert.equal(plugin.opened.info.sizeLow, 4096);
  assert.match(plugin.lines.join(), /the size stays as it was: cannot get the new size: EIO/);
});

Deno.test("an export that was closed before its filter was asked stays closed", () => {
  const agenda = new Agenda();
  const disk = changing(agenda);
  const plugin = above(disk, agenda, SHIFTED);
  plugin.submit(Command.Flush);
  plugin.opened.close();
  agenda.run(performance.now());
  assert.deepEqual(plugin.lines, []);
});
