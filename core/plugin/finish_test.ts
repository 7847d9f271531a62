// SPDX-License-Identifier: MIT
// What filters do before they are closed, and opening again what is below them (ABI 3.1).

import assert from "node:assert/strict";
import { Command, Request, Status } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { PluginError } from "./errors.ts";
import { type TestOptions, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

const OK = "(i32.const 0)";
const WRITE = `(param $h i32) (param $req i32) (param $data i32) (param $count i64)
  (param $offset i64) (param $flags i32) (result i32)`;
const FORWARD = `(call $next_forward (local.get $req) ${OK} (i64.const 0) (local.get $count)
  (local.get $offset) (local.get $flags) ${OK})`;

function filter(
  functions: string,
  imports: string[],
  below: TestPlugin,
  options: TestOptions = {},
): TestPlugin {
  const manifest = { abi: "3.1", kind: "filter", ...options.manifest };
  return new TestPlugin(laterWat(functions, imports), {
    ...options,
    manifest,
    children: [below.device],
  });
}

/** Keeps the first byte of each write and writes it below when it is to finish, after a timer. */
const KEEPS = `(global $handle (mut i32) ${OK})
  (func (export "sb_ready") (result i32) ${OK})
  (func (export "sb_pwrite") ${WRITE}
    (i32.store8 (i32.const 1024) (i32.load8_u (local.get $data)))
    (global.set $handle (call $next_open ${OK} ${OK} ${OK})) ${OK})
  (func (export "sb_finish") (drop (call $timer (i64.const 0) (i32.const 1))))
  (func (export "sb_done") (param i32 i32)
    (drop (call $next_pwrite (global.get $handle) ${OK} (i32.const 1024) (i64.const 1)
      (i64.const 0) ${OK} (i32.const 2))))`;

Deno.test("a device is not finished before each filter has brought down what it keeps", () => {
  const agenda = new Agenda();
  const disk = new TestPlugin(diskWat(), { agenda });
  const imports = ["timer", "next_open", "next_pwrite"];
  const manifest = { calls: { pwrite: "transform" }, next_read_only: true };
  const lower = filter(KEEPS, imports, disk, { agenda, manifest });
  const upper = filter(KEEPS, imports, lower, { agenda, manifest });
  assert.equal(upper.write(0, Uint8Array.of(7)), 0);
  upper.opened.close();
  const seen: number[] = [];
  for (let step = 0; step >= 0 && seen.length < 9;) {
    step = upper.device.finish();
    seen.push(step);
    agenda.run(performance.now());
  }
  assert.equal(seen.at(-1), -1, `${seen}`);
  assert(seen.length >= 3, `${seen}: each had a timer`);
  assert.deepEqual(disk.read(0, 1), Uint8Array.of(7));
});

Deno.test("a device that keeps nothing is finished at once", () => {
  assert.equal(new TestPlugin(diskWat()).device.finish(), -1);
  const plugin = filter("", [], new TestPlugin(diskWat()));
  assert.equal(plugin.device.finish(), -1);
});

const ALL = ["sb_pread", "sb_trim", "sb_zero", "sb_cache", "sb_extents"]
  .map((name) => `(func (export "${name}") ${RANGE} ${FORWARD})`)
  .concat(`(func (export "sb_pwrite") ${WRITE} ${FORWARD})`)
  .join("\n");
const REOPENS = `${ALL} (func (export "sb_flush") (param i32 i32 i32) (result i32)
  (call $next_reopen (local.get 0) ${OK}))`;
/** Counts what is open; the size is that of the disk or, from the third open on, another. */
const COUNTS = {
  sb_open: `(global $opens (export "opens") (mut i32) ${OK})
    (func (export "sb_open") (param P P i32) (result i32)
      (global.set $opens (i32.add (global.get $opens) (i32.const 1))) (global.get $opens))`,
  sb_size: `(func (export "sb_size") (param i32) (result i64)
    (select (i64.const 4096) (i64.const 65536) (i32.gt_u (local.get 0) (i32.const 2))))`,
};

Deno.test("what is below is opened again, and must still be the same", () => {
  const closed = `(func (export "sb_close") (param i32) (i32.store8 (i32.const 65536)
    (i32.add (i32.load8_u (i32.const 65536)) (i32.const 1))))
    (func (export "sb_flush") (param i32 i32 i32) (result i32) ${OK})`;
  const disk = new TestPlugin(diskWat(COUNTS, closed));
  const plugin = filter(REOPENS, ["next_forward", "next_reopen"], disk);
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(0));
  assert.equal(plugin.submit(Command.Flush), 0);
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(1), "the first was closed");
  assert.equal(plugin.submit(Command.Flush), 5);
  assert.match(plugin.request.errorText, /cannot use what was opened again: it has another size/);
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(2), "only the third was closed");
  plugin.opened.close();
  assert.deepEqual(disk.device.memory.bytes[65536], 3);
});

Deno.test("a request that is under way ends where it began", () => {
  const agenda = new Agenda();
  const late = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_flush") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_pread") ${RANGE}
       (call $reply_zero (local.get $req) (i64.const 0) (local.get $count) ${OK})
       (drop (call $timer (i64.const 0) (local.get $req))) (i32.const -1))
     (func (export "sb_done") (param i32 i32) (call $complete (local.get 0) ${OK}))`,
    ["reply_zero", "timer", "complete"],
  );
  const disk = new TestPlugin(late, { manifest: { abi: "3.1" }, agenda });
  const plugin = filter(REOPENS, ["next_forward", "next_reopen"], disk, { agenda });
  assert.equal(plugin.submit(Command.Read), Status.Pending);
  const flush = new Request();
  flush.command = Command.Flush;
  assert.equal(plugin.opened.submit(flush), 0);
  for (let i = 0; i < 9; i++) agenda.run(performance.now());
  assert.deepEqual(plugin.ended, [0]);
});

Deno.test("a filter that opens again what is below it has all functions for requests", () => {
  const pread = `(func (export "sb_pread") ${RANGE} ${FORWARD})`;
  assert.throws(
    () => filter(pread, ["next_forward", "next_reopen"], new TestPlugin(diskWat())),
    (error) =>
      error instanceof PluginError &&
      /"sb_pwrite", which it needs because it imports "next_reopen"/.test(error.message),
  );
});
