// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Command } from "../../block/request.ts";
import { NO_GRANTS } from "../grants.ts";
import { diskWat } from "../test_plugins.ts";
import { type TestOptions, TestPlugin } from "../test_device.ts";

const TEXT = "a line\nand another\nunfinished";

/** Imports of WASI, and a text at 512 with its list of buffers at 600. */
const WASI = `
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))`;
const DATA = `(data (i32.const 512) ${JSON.stringify(TEXT)})
  (data (i32.const 600) "\\00\\02\\00\\00\\1d\\00\\00\\00")`;

/** A disk whose sb_flush runs `body` and returns its result. */
function disk(body: string, options: TestOptions = {}): TestPlugin {
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${body})`;
  const wat = diskWat({ sb_flush: flush }, DATA).replace("(module", `(module ${WASI}`);
  return new TestPlugin(wat, options);
}

/** What `body` returns: the errno that the flush fails with. */
function resultOf(body: string, options: TestOptions = {}): number {
  return disk(body, options).submit(Command.Flush, { length: 0 });
}

/** 8 bytes at 1024 after `body` was run `times`. */
function valueOf(body: string, times: number, options: TestOptions = {}): bigint {
  const plugin = disk(body, options);
  for (let left = times; left > 0; left--) {
    assert.equal(plugin.submit(Command.Flush, { length: 0 }), 0);
  }
  const { memory } = plugin.device;
  return new DataView(memory.bytes.buffer).getBigUint64(1024, true);
}

const CLOCK = (id: number) =>
  `(call $clock_time_get (i32.const ${id}) (i64.const 0) (i32.const 1024))`;
const RANDOM = "(call $random_get (i32.const 1024) (i32.const 8))";

Deno.test("what a runtime prints goes to the log line by line", () => {
  const write = (fd: number) =>
    `(call $fd_write (i32.const ${fd}) (i32.const 600) (i32.const 1) (i32.const 1024))`;
  const plugin = disk(write(2));
  plugin.submit(Command.Flush, { length: 0 });
  const lines = [`warning: plugin "test": a line`, `warning: plugin "test": and another`];
  assert.deepEqual(plugin.lines, lines);
  plugin.submit(Command.Flush, { length: 0 });
  assert.match(plugin.lines[2]!, /: unfinisheda line$/);
  assert.equal(resultOf(write(5)), 8);
});

Deno.test("there are no files, no directories and no environment", () => {
  assert.equal(resultOf("(call $fd_prestat_get (i32.const 3) (i32.const 1024))"), 8);
  const open = `(call $path_open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 6)
    (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 1024))`;
  assert.equal(resultOf(open), 76);
  const sizes = `(i64.store (i32.const 1024) (i64.const -1))
    (call $environ_sizes_get (i32.const 1024) (i32.const 1028))`;
  assert.equal(valueOf(sizes, 1), 0n);
  const read = "(call $fd_read (i32.const 0) (i32.const 600) (i32.const 1) (i32.const 1024))";
  assert.equal(valueOf(read, 1) & 0xffffffffn, 0n);
});

Deno.test("the clock moves when it is looked at, and is the real one if that is granted", () => {
  assert.equal(valueOf(CLOCK(1), 1), 1_000_001_000n);
  assert.equal(valueOf(CLOCK(0), 3), 1_000_003_000n);
  const manifest = { abi: "3.1", capabilities: { clock: {} } };
  const grants = { ...NO_GRANTS, clock: true };
  const real = Number(valueOf(CLOCK(0), 1, { manifest, grants })) / 1e6;
  assert.ok(Math.abs(real - Date.now()) < 60_000, `${real}`);
});

Deno.test("waiting takes no time and puts the clock forward", () => {
  // A subscription to the clock 1 at 2048: userdata, type, id, one hour, precision, relative.
  const wait = `(i32.store (i32.const 2064) (i32.const 1))
    (i64.store (i32.const 2072) (i64.const 3600000000000))
    (drop (call $poll_oneoff (i32.const 2048) (i32.const 2200) (i32.const 1) (i32.const 1024)))
    ${CLOCK(1)}`;
  const start = performance.now();
  assert.ok(valueOf(wait, 1) > 3_600_000_000_000n);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("random numbers are the same on each run unless real ones are granted", () => {
  const first = valueOf(RANDOM, 1);
  assert.equal(valueOf(RANDOM, 1), first);
  assert.notEqual(valueOf(RANDOM, 2), first);
  const options = {
    manifest: { abi: "3.1", capabilities: { random: {} } },
    grants: { ...NO_GRANTS, random: true },
  };
  assert.notEqual(valueOf(RANDOM, 1, options), valueOf(RANDOM, 1, options));
});

Deno.test("pointers beyond the memory are refused, and too much is", () => {
  const fault = 21;
  assert.equal(resultOf("(call $random_get (i32.const -4) (i32.const 8))"), fault);
  assert.equal(resultOf("(call $random_get (i32.const 0) (i32.const -1))"), fault);
  assert.equal(
    resultOf("(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const -1))"),
    fault,
  );
  const write = "(call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 1024))";
  assert.equal(resultOf(write), fault);
  const many = "(call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 1024))";
  assert.equal(resultOf(many), 28);
  assert.equal(
    resultOf("(call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"),
    28,
  );
});

Deno.test("exiting ends the call and nothing else", () => {
  const plugin = disk("(call $proc_exit (i32.const 3)) (unreachable)");
  assert.equal(plugin.submit(Command.Flush, { length: 0 }), 5);
  assert.match(plugin.request.errorText, /it exited with the code 3 in sb_flush/);
  assert.equal(plugin.submit(Command.Read), 0);
});
