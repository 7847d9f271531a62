// SPDX-License-Identifier: MIT
// A plugin that traps, runs out of stack or memory, or throws loses the request it had, and nothing
// else: the instance is as good as before.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { TestPlugin } from "./test_device.ts";
import { diskWat, RANGE } from "./test_plugins.ts";

const OK = "(i32.const 0)";
const ZEROES = `(call $reply_zero (local.get $req) (i64.const 0) (local.get $count) ${OK})`;

/** A disk that does `body` when it is read at 0 and answers with zeroes elsewhere. */
function troubled(body: string, more = ""): TestPlugin {
  const pread = `(func $pread (export "sb_pread") ${RANGE} (local $n i32)
    (if (i64.eqz (local.get $offset)) (then ${body}))
    ${ZEROES} ${OK})`;
  return new TestPlugin(diskWat({ sb_pread: pread }, more));
}

/** Reads at 0 fail with this text, again and again, and other reads do not. */
function assertContained(plugin: TestPlugin, message: RegExp): void {
  for (let round = 0; round < 3; round++) {
    assert.equal(plugin.submit(Command.Read), Errno.EIO);
    assert.match(plugin.request.errorText, message);
    assert.equal(plugin.request.pieceCount, 0);
    assert.deepEqual(plugin.read(512, 8), new Uint8Array(8));
    assert.equal(plugin.write(100, new Uint8Array(8)), 0);
  }
}

Deno.test("traps of every kind fail one request with EIO and a text", () => {
  const traps: [string, RegExp][] = [
    ["unreachable", /^plugin "test" trapped: unreachable in sb_pread$/],
    ["(drop (i32.div_u (i32.const 1) (local.get $n)))", /trapped: divide by zero in sb_pread$/],
    ["(drop (i32.load (i32.const -4)))", /trapped: memory access out of bounds in sb_pread$/],
    ["(memory.fill (i32.const -1) (i32.const 0) (i32.const 9))", /memory access out of bounds/],
    ["(drop (i32.trunc_f32_s (f32.const nan)))", /trapped: float unrepresentable/],
    ["(call_indirect (i32.const 5))", /trapped: table index is out of bounds in sb_pread$/],
    ["(call_indirect (i32.const 0))", /trapped: null function/],
  ];
  for (const [body, message] of traps) {
    assertContained(troubled(body, "(table 1 funcref)"), message);
  }
});

Deno.test("recursion without end fails one request", () => {
  assertContained(
    troubled(
      "(drop (call $down (i32.const 1)))",
      `(func $down (param i32) (result i32)
      (i32.add (call $down (local.get 0)) (i32.const 1)))`,
    ),
    /^plugin "test" ran out of stack in sb_pread$/,
  );
});

Deno.test("recursion without end that calls the host all the way fails one request", () => {
  const plugin = troubled(
    "(drop (call $down (local.get $req)))",
    `
    (func $down (param $req i32) (result i32)
      (call $error_text (i32.const 0) (i32.const 8))
      (drop (call $reply_buffer (local.get $req) (i64.const 1) (i64.const 1)))
      (i32.add (call $down (local.get $req)) (i32.const 1)))`,
  );
  for (let round = 0; round < 20; round++) {
    assert.equal(plugin.submit(Command.Read), Errno.EIO);
    assert.deepEqual(plugin.read(512, 8), new Uint8Array(8));
  }
});

Deno.test("an exception that nothing catches fails one request", () => {
  assertContained(
    troubled("(throw $e)", "(tag $e)"),
    /^plugin "test" threw an exception that nothing caught in sb_pread$/,
  );
});

Deno.test("a plugin that takes all its memory is refused more, and goes on", () => {
  const hog = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
  const plugin = troubled(hog);
  assertContained(plugin, /trapped: unreachable/);
  assert.equal(plugin.device.memory.bytes.length, 256 * 1024 * 1024);
  const pages = new TestPlugin(
    diskWat({ sb_pread: `(func (export "sb_pread") ${RANGE} ${hog})` }),
    { memoryMaximum: 10 * 65536 },
  );
  assert.equal(pages.submit(Command.Read), Errno.EIO);
  assert.equal(pages.device.memory.bytes.length, 10 * 65536);
});

Deno.test("memory that grows during a call is seen at once, and stays where it is", () => {
  const plugin = troubled(
    `(drop (memory.grow (i32.const 50)))
     (i32.store8 (i32.const 3000000) (i32.const 77))
     (call $reply_data (local.get $req) (i64.const 0) (i32.const 3000000) (local.get $count) ${OK})
     (return ${OK})`,
  );
  const { address } = plugin.device.memory;
  assert.notEqual(address, 0);
  assert.deepEqual(plugin.read(0, 2), Uint8Array.of(77, 0));
  assert.equal(plugin.device.memory.address, address);
  assert.equal(plugin.device.memory.view.getUint8(3000000), 77);
  const view = new Deno.UnsafePointerView(Deno.UnsafePointer.create(BigInt(address))!);
  assert.equal(view.getUint8(3000000), 77, "the address is that of the memory");
});

Deno.test("the stack pointer is put back after a trap", () => {
  const plugin = troubled(
    "(global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 16))) unreachable",
    `(func (export "sb_flush") (param i32 i32 i32) (result i32)
      (i32.ne (global.get $__stack_pointer) (i32.const 65536)))`,
  );
  for (let round = 0; round < 3; round++) {
    assert.equal(plugin.submit(Command.Read), Errno.EIO);
    assert.equal(plugin.submit(Command.Flush), 0);
  }
});

Deno.test("a trap in an allocation within a call leaves the stack of the call alone", () => {
  const alloc = `(func (export "sb_alloc") (param i32 i32) (result i32)
    (global.set $__stack_pointer (i32.const 1)) unreachable)`;
  const pread = `(func (export "sb_pread") ${RANGE}
    (global.set $__stack_pointer (i32.const 60000))
    (if (call $reply_buffer (local.get $req) (i64.const 0) (local.get $count)) (then unreachable))
    (if (i32.ne (global.get $__stack_pointer) (i32.const 60000)) (then unreachable))
    (global.set $__stack_pointer (i32.const 65536))
    (i32.const 12))`;
  const plugin = new TestPlugin(diskWat({ sb_alloc: alloc, sb_pread: pread }));
  assert.equal(plugin.submit(Command.Read), Errno.ENOMEM);
  assert.match(plugin.lines[0]!, /trapped: unreachable in sb_alloc/);
});

Deno.test("an allocator that lies is not believed", () => {
  const results: [string, number][] = [
    ["(i32.const -16)", 0],
    ["(i32.const 262144)", 0],
    ["(i32.const 65537)", 0],
    ["(i32.const 0)", 0],
    ["(i32.const 65536)", 65536],
  ];
  for (const [result, expected] of results) {
    const alloc = `(func (export "sb_alloc") (param i32 i32) (result i32) ${result})`;
    const plugin = new TestPlugin(diskWat({ sb_alloc: alloc }));
    assert.equal(plugin.device.memory.allocate(4096, 16), expected);
  }
});

Deno.test("what happened is logged with the plugin's own functions", () => {
  const plugin = troubled("(call $outer)", `(func $outer (call $inner)) (func $inner unreachable)`);
  plugin.submit(Command.Read);
  assert.deepEqual(plugin.lines, [
    'error: plugin "test": trapped: unreachable in sb_pread (inner < outer < pread)',
  ]);
  const deep = troubled(
    "(call $down (i32.const 20))",
    `(func $down (param i32)
    (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else unreachable)))`,
  );
  deep.submit(Command.Read);
  assert.match(deep.lines[0]!, /\((down < ){8}\.\.\.\)$/);
});

Deno.test("functions without names are told by their number or export", () => {
  // 11 imports and 6 functions of the disk come before the one that is added.
  const pread = `(func (export "sb_pread") ${RANGE} (call 17) ${OK})`;
  const plugin = new TestPlugin(diskWat({ sb_pread: pread }, "(func unreachable)"));
  assert.equal(plugin.submit(Command.Read), Errno.EIO);
  assert.deepEqual(plugin.lines, [
    'error: plugin "test": trapped: unreachable in sb_pread (function 17 < sb_pread)',
  ]);
});

Deno.test("released memory is zero, and whole pages of it go back to the system", () => {
  const released: [number, number][] = [];
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $release (i32.const 70000) (i32.const 20000)) ${OK})`;
  const plugin = new TestPlugin(diskWat({}, flush), {
    memoryRelease: {
      pageBytes: 4096,
      release: (address, length) => released.push([address, length]),
    },
  });
  const { memory } = plugin.device;
  memory.bytes.fill(7, 65536, 131072);
  assert.equal(plugin.submit(Command.Flush), 0);
  const [first, last] = [73728, 86016];
  assert.deepEqual(released, [[memory.address + first, last - first]]);
  const expected = new Uint8Array(65536).fill(7).fill(0, 70000 - 65536, 90000 - 65536);
  // The stand-in for the system has not made these zero.
  expected.fill(7, first - 65536, last - 65536);
  assert.deepEqual(memory.bytes.slice(65536, 131072), expected);
  const zeroed = new TestPlugin(diskWat({}, flush));
  zeroed.device.memory.bytes.fill(7, 65536, 131072);
  assert.equal(zeroed.submit(Command.Flush), 0);
  expected.fill(0, 70000 - 65536, 90000 - 65536);
  assert.deepEqual(zeroed.device.memory.bytes.slice(65536, 131072), expected);
});

Deno.test("release of what is not in the memory is a lie, of less than a page it is zeroed", () => {
  const flush = (pointer: number, length: number) => {
    const release = `(call $release (i32.const ${pointer}) (i32.const ${length}))`;
    return new TestPlugin(
      diskWat({}, `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${release} ${OK})`),
      { memoryRelease: { pageBytes: 4096, release: () => assert.fail("no whole page") } },
    );
  };
  for (const [pointer, length] of [[262144, 1], [0, 262145], [-1, 1], [-1, -1]] as const) {
    const plugin = flush(pointer, length);
    assert.equal(plugin.submit(Command.Flush), Errno.EIO);
    assert.match(plugin.request.errorText, /release: \d+ bytes at \d+ are not in its memory$/);
  }
  for (const [pointer, length] of [[4090, 4100], [4096, 4095], [100, 0], [262144, 0]] as const) {
    const plugin = flush(pointer, length);
    plugin.device.memory.bytes.fill(1, 4000, 9000);
    assert.equal(plugin.submit(Command.Flush), 0);
    const zeroes = plugin.device.memory.bytes.slice(4000, 9000).filter((byte) => byte === 0).length;
    assert.equal(zeroes, length);
  }
});
