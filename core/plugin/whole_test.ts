// SPDX-License-Identifier: MIT
// Requests that are passed on as a whole: the child has them for a while, and they come back as they were.

import assert from "node:assert/strict";
import { Command, Status } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { type TestOptions, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

const OK = "(i32.const 0)";
const SHIFT = 4096;
const shifted = (then = "") =>
  `(func (export "sb_pread") ${RANGE}
    (call $next_forward (local.get $req) ${OK} (i64.const 0) (local.get $count)
      (i64.add (local.get $offset) (i64.const ${SHIFT})) (local.get $flags) ${OK}) ${then})`;
const SIZE = `(func (export "sb_size") (param i32) (result i64)
  (i64.sub (call $next_size (local.get 0) ${OK}) (i64.const ${SHIFT})))`;

function filter(functions: string, below: TestPlugin, options: TestOptions = {}): TestPlugin {
  const wat = laterWat(`${functions} ${SIZE}`, ["next_forward", "next_size"]);
  const manifest = { abi: "3.1", kind: "filter" };
  return new TestPlugin(wat, { ...options, manifest, children: [below.device] });
}

/** A disk that answers with the offset of the read, later, or fails with ENOSPC from 32768 on. */
function lateDisk(agenda: Agenda): TestPlugin {
  const wat = laterWat(
    `(global $at (mut i64) (i64.const 0))
     (func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE}
       (global.set $at (local.get $offset))
       (i64.store (i32.const 2048) (local.get $offset))
       (call $reply_data (local.get $req) (i64.const 0) (i32.const 2048) (local.get $count) ${OK})
       (drop (call $timer (i64.const 0) (local.get $req))) (i32.const -1))
     (func (export "sb_done") (param i32 i32)
       (if (i64.ge_u (global.get $at) (i64.const 32768))
         (then (call $error_text (i32.const 16) (i32.const 4))))
       (call $complete (local.get 0)
         (select (i32.const 28) ${OK} (i64.ge_u (global.get $at) (i64.const 32768)))))
     (data (i32.const 16) "full")`,
    ["reply_data", "timer", "complete", "error_text"],
  );
  return new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda });
}

function settle(agenda: Agenda): void {
  for (let i = 0; i < 100 && agenda.nextMs !== Infinity; i++) agenda.run(performance.now());
}

Deno.test("a request that is answered at once has its own offset again", () => {
  const disk = new TestPlugin(diskWat());
  disk.write(SHIFT * 2 + 100, Uint8Array.of(7));
  const plugin = filter(shifted(), filter(shifted(), disk));
  const { sink } = plugin.request;
  assert.deepEqual(plugin.read(100, 1), Uint8Array.of(7));
  assert.equal(plugin.request.offset, 100);
  assert.equal(plugin.request.sink, sink);
});

for (const levels of [1, 3]) {
  Deno.test(`a request that is answered later comes back as it was (${levels})`, () => {
    const agenda = new Agenda();
    let plugin = lateDisk(agenda);
    for (let i = 0; i < levels; i++) plugin = filter(shifted(), plugin, { agenda });
    const { sink } = plugin.request;
    for (let round = 0; round < 3; round++) {
      assert.equal(plugin.submit(Command.Read, { offset: 512, length: 8 }), Status.Pending);
      settle(agenda);
      assert.equal(plugin.ended.pop(), 0);
      const view = new DataView(plugin.bytes(8).buffer);
      assert.equal(Number(view.getBigUint64(0, true)), 512 + levels * SHIFT);
      assert.equal(plugin.request.offset, 512);
      assert.equal(plugin.request.sink, sink);
    }
    plugin.opened.close();
  });

  Deno.test(`a failure that comes later brings its text and no data (${levels})`, () => {
    const agenda = new Agenda();
    let plugin = lateDisk(agenda);
    for (let i = 0; i < levels; i++) plugin = filter(shifted(), plugin, { agenda });
    assert.equal(plugin.submit(Command.Read, { offset: 40_000, length: 8 }), Status.Pending);
    settle(agenda);
    assert.deepEqual(plugin.ended, [28]);
    assert.equal(plugin.request.errorText, "full");
    assert.equal(plugin.request.pieceCount, 0);
    assert.equal(plugin.request.offset, 40_000);
  });
}

Deno.test("a filter that fails after it has passed a request on has failed, with no data", () => {
  const agenda = new Agenda();
  const plugin = filter(shifted("drop (i32.const 30)"), lateDisk(agenda), { agenda });
  assert.equal(plugin.submit(Command.Read, { offset: 0, length: 8 }), Status.Pending);
  assert.deepEqual(plugin.ended, []);
  settle(agenda);
  assert.deepEqual(plugin.ended, [30], "once the child has let go of it");
  assert.equal(plugin.request.pieceCount, 0);
  assert.equal(plugin.request.offset, 0);
});

Deno.test("what was answered at once is dropped when the filter fails, or can be done again", () => {
  const disk = new TestPlugin(diskWat());
  disk.write(SHIFT, Uint8Array.of(7, 8));
  const fails = filter(shifted("drop (i32.const 30)"), disk);
  assert.equal(fails.submit(Command.Read, { length: 2 }), 30);
  assert.equal(fails.request.pieceCount, 0);
  // Twice over is a piece that overlaps, and beyond the end of the child is none.
  const again = `(drop (call $next_forward (local.get $req) ${OK} (i64.const 0) (local.get $count)
    (i64.const 0) (local.get $flags) ${OK}))`;
  const twice = filter(shifted(`${again}`), disk);
  assert.equal(twice.submit(Command.Read, { length: 2 }), 5);
  assert.match(twice.request.errorText, /overlaps what is answered already/);
  const beyond = filter(
    shifted().replace(`(i64.const ${SHIFT})`, "(i64.const 65535)"),
    disk,
  );
  assert.equal(beyond.submit(Command.Read, { length: 2 }), 5);
  assert.match(beyond.request.errorText, /reach beyond the end of the child/);
  assert.equal(beyond.request.offset, 0);
});
