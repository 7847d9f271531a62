// SPDX-License-Identifier: MIT
// Requests become the calls that the ABI says, with its flags, or are made out of others.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Piece, RequestFlag } from "../block/request.ts";
import { TestPlugin, type TestRequest } from "./test_device.ts";
import { diskWat } from "./test_plugins.ts";

const OK = "(i32.const 0)";
/** Where RECORD leaves what it saw; below the disk. */
const LOG = 1024;

/** Appends [function, flags, count, offset] at LOG; the number of records stands at 0. */
const RECORD =
  `(func $record (param $f i32) (param $flags i32) (param $count i64) (param $offset i64)
  (local $at i32)
  (local.set $at (i32.add (i32.const ${LOG}) (i32.mul (i32.load (i32.const 0)) (i32.const 24))))
  (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
  (i32.store (local.get $at) (local.get $f))
  (i32.store offset=4 (local.get $at) (local.get $flags))
  (i64.store offset=8 (local.get $at) (local.get $count))
  (i64.store offset=16 (local.get $at) (local.get $offset)))`;

const FUNCTIONS = [
  "sb_flush",
  "sb_trim",
  "sb_zero",
  "sb_cache",
  "sb_extents",
  "sb_pwrite",
  "sb_pread",
];

/** A function that records its call and then runs `body`. */
function range(name: string, body = OK): string {
  return `(func (export "${name}") (param $h i32) (param $req i32) (param $count i64)
    (param $offset i64) (param $flags i32) (result i32)
    (call $record (i32.const ${FUNCTIONS.indexOf(name)}) (local.get $flags) (local.get $count)
      (local.get $offset)) ${body})`;
}

const FLUSH = (body = OK) =>
  `(func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $record (i32.const 0) (local.get 2) (i64.const 0) (i64.const 0)) ${body})`;

const WRITE = (body = OK) =>
  `(func (export "sb_pwrite") (param $h i32) (param $req i32) (param $ptr i32) (param $count i64)
    (param $offset i64) (param $flags i32) (result i32)
    (call $record (i32.const 5) (local.get $flags) (local.get $count) (local.get $offset))
    ${body})`;

/** sb_info that sets fields of the struct by index. */
const INFO = (fields: Record<number, number>) =>
  `(func (export "sb_info") (param i32 i32) (result i32)
    ${
    Object.entries(fields).map(([index, value]) =>
      `(i32.store offset=${Number(index) * 4} (local.get 1) (i32.const ${value}))`
    ).join(" ")
  } ${OK})`;
const [FIELD_WRITE, FIELD_FUA, FIELD_FAST_ZERO, FIELD_CACHE, FIELD_BLOCK_MAX] = [4, 6, 9, 10, 3];

function disk(more: string, pwrite = WRITE()): TestPlugin {
  return new TestPlugin(diskWat({ sb_pwrite: pwrite }, RECORD + more));
}

/** The calls since the last time, as `sb_zero flags=2 count=4096 offset=0`. */
function calls(plugin: TestPlugin): string[] {
  const { view } = plugin.device.memory;
  const seen = Array.from({ length: view.getUint32(0, true) }, (_, index) => {
    const at = LOG + index * 24;
    const name = FUNCTIONS[view.getUint32(at, true)];
    const flags = view.getUint32(at + 4, true);
    if (name === "sb_flush") return `${name} flags=${flags}`;
    const [count, offset] = [view.getBigUint64(at + 8, true), view.getBigUint64(at + 16, true)];
    return `${name} flags=${flags} count=${count} offset=${offset}`;
  });
  view.setUint32(0, 0, true);
  return seen;
}

const { Fua, NoHole, FastZero, ReqOne } = RequestFlag;
const RANGE_REQUEST: TestRequest = { offset: 2n ** 40n + 512n, length: 2n ** 33n };

/** The result and the calls of one request. */
function ask(plugin: TestPlugin, command: number, request: TestRequest): [number, string[]] {
  return [plugin.submit(command, request), calls(plugin)];
}

Deno.test("what is written can be read back", () => {
  const plugin = new TestPlugin(diskWat());
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 7);
  assert.equal(plugin.write(12345, bytes), 0);
  assert.deepEqual(plugin.read(12345, 1000), bytes);
  assert.deepEqual(plugin.read(12344, 1), new Uint8Array(1));
});

Deno.test("trim, zero, cache and flush are called with 64-bit counts and their flags", () => {
  const plugin = disk(
    FLUSH() + ["sb_trim", "sb_zero", "sb_cache"].map((name) => range(name)).join("") +
      INFO({ [FIELD_FUA]: 2, [FIELD_FAST_ZERO]: 2 }),
  );
  const at = `count=${2n ** 33n} offset=${2n ** 40n + 512n}`;
  const cases: [number, number, string][] = [
    [Command.Trim, 0, `sb_trim flags=0 ${at}`],
    [Command.Trim, Fua, `sb_trim flags=1 ${at}`],
    [Command.WriteZeroes, 0, `sb_zero flags=2 ${at}`],
    [Command.WriteZeroes, NoHole, `sb_zero flags=0 ${at}`],
    [Command.WriteZeroes, FastZero, `sb_zero flags=6 ${at}`],
    [Command.WriteZeroes, Fua | NoHole | FastZero, `sb_zero flags=5 ${at}`],
    [Command.Cache, 0, `sb_cache flags=0 ${at}`],
    [Command.Flush, 0, "sb_flush flags=0"],
  ];
  for (const [command, flags, call] of cases) {
    assert.deepEqual(ask(plugin, command, { ...RANGE_REQUEST, flags }), [0, [call]]);
  }
});

Deno.test("a write with FUA is followed by a flush where the plugin does not do it itself", () => {
  const bytes = new Uint8Array(16);
  const emulated = disk(FLUSH());
  assert.equal(emulated.write(32, bytes, Fua), 0);
  assert.deepEqual(calls(emulated), ["sb_pwrite flags=0 count=16 offset=32", "sb_flush flags=0"]);
  assert.equal(emulated.write(32, bytes), 0);
  assert.deepEqual(calls(emulated), ["sb_pwrite flags=0 count=16 offset=32"]);
  const native = disk(FLUSH() + INFO({ [FIELD_FUA]: 2 }));
  assert.equal(native.write(32, bytes, Fua), 0);
  assert.deepEqual(calls(native), ["sb_pwrite flags=1 count=16 offset=32"]);
});

Deno.test("a write that fails is not flushed, and a flush that fails fails the write", () => {
  const failing = disk(FLUSH(), WRITE("(i32.const 28)"));
  assert.equal(failing.write(0, new Uint8Array(1), Fua), Errno.ENOSPC);
  assert.deepEqual(calls(failing).length, 1);
  const unflushed = disk(FLUSH("(i32.const 5)"));
  assert.equal(unflushed.write(0, new Uint8Array(1), Fua), Errno.EIO);
  assert.deepEqual(calls(unflushed).length, 2);
});

Deno.test("zeroes are written where there is no sb_zero, in steps, with one flush at the end", () => {
  const plugin = disk(FLUSH(), WRITE());
  const MiB = 1048576;
  assert.deepEqual(
    ask(plugin, Command.WriteZeroes, { offset: 5, length: 2 * MiB + 3, flags: Fua }),
    [
      0,
      [
        `sb_pwrite flags=0 count=${MiB} offset=5`,
        `sb_pwrite flags=0 count=${MiB} offset=${MiB + 5}`,
        `sb_pwrite flags=0 count=3 offset=${2 * MiB + 5}`,
        "sb_flush flags=0",
      ],
    ],
  );
  const beyond = { offset: 2n ** 32n - 1n, length: MiB + 1 };
  assert.deepEqual(ask(plugin, Command.WriteZeroes, beyond)[1], [
    `sb_pwrite flags=0 count=${MiB} offset=${2n ** 32n - 1n}`,
    `sb_pwrite flags=0 count=1 offset=${2n ** 32n - 1n + BigInt(MiB)}`,
  ]);
});

Deno.test("zeroes that are written are zeroes, whatever the plugin does to their buffer", () => {
  const plugin = new TestPlugin(diskWat());
  plugin.write(0, new Uint8Array(5000).fill(7));
  assert.equal(plugin.submit(Command.WriteZeroes, { offset: 100, length: 3000 }), 0);
  const expected = new Uint8Array(5000).fill(7).fill(0, 100, 3100);
  assert.deepEqual(plugin.read(0, 5000), expected);
  const scribble = WRITE(`(memory.copy (i32.add (i32.const 65536) (i32.wrap_i64 (i64.and
      (local.get $offset) (i64.const 0xff)))) (local.get $ptr) (i32.const 16))
    (memory.fill (local.get $ptr) (i32.const 9) (i32.wrap_i64 (local.get $count))) ${OK}`);
  const scribbling = disk(INFO({ [FIELD_BLOCK_MAX]: 4096 }), scribble);
  assert.equal(scribbling.submit(Command.WriteZeroes, { offset: 0, length: 8192 }), 0);
  assert.equal(calls(scribbling).length, 2);
  assert.deepEqual(scribbling.device.memory.bytes.slice(65536, 65552), new Uint8Array(16));
});

Deno.test("a plugin may leave some ranges to the host by EOPNOTSUPP, but not when it must be fast", () => {
  const plugin = disk(range("sb_zero", "(i32.const 95)") + INFO({ [FIELD_FAST_ZERO]: 2 }));
  assert.deepEqual(ask(plugin, Command.WriteZeroes, { length: 10 }), [
    0,
    ["sb_zero flags=2 count=10 offset=0", "sb_pwrite flags=0 count=10 offset=0"],
  ]);
  assert.deepEqual(ask(plugin, Command.WriteZeroes, { length: 10, flags: FastZero }), [
    Errno.EOPNOTSUPP,
    ["sb_zero flags=6 count=10 offset=0"],
  ]);
});

Deno.test("a fast zero fails at once where zeroes would be written", () => {
  const request = { length: 10, flags: FastZero };
  assert.deepEqual(ask(disk(""), Command.WriteZeroes, request), [Errno.EOPNOTSUPP, []]);
  assert.deepEqual(ask(disk(range("sb_zero")), Command.WriteZeroes, request), [
    Errno.EOPNOTSUPP,
    [],
  ]);
});

Deno.test("zeroing stops at the first failure", () => {
  const write = WRITE(
    "(if (i64.ne (local.get $offset) (i64.const 0)) (then (return (i32.const 28))))" + OK,
  );
  const plugin = disk("", write);
  assert.equal(plugin.submit(Command.WriteZeroes, { length: 3145728 }), Errno.ENOSPC);
  assert.equal(calls(plugin).length, 2);
});

Deno.test("caching is emulated by reading, without room for answers", () => {
  for (
    const body of [
      `(call $reply_data (local.get $req) (i64.const 0) (i32.const 0) (i64.const 10) (i32.const 0))
     (drop (call $reply_buffer (local.get $req) (i64.const 10)
       (i64.sub (local.get $count) (i64.const 10))))`,
      `(call $reply_error (local.get $req) (i64.const 0) (local.get $count) (i32.const 5))`,
      `(call $reply_zero (local.get $req) (i64.const 0) (local.get $count) (i32.const 1))`,
    ]
  ) {
    const plugin = new TestPlugin(diskWat(
      { sb_pread: range("sb_pread", body + OK) },
      RECORD + INFO({ [FIELD_CACHE]: 1 }),
    ));
    plugin.request.space = {
      memory: plugin.device.memory,
      take: () => assert.fail("no room is needed"),
    };
    assert.deepEqual(ask(plugin, Command.Cache, { offset: 1, length: 1048676 }), [
      0,
      ["sb_pread flags=0 count=1048576 offset=1", "sb_pread flags=0 count=100 offset=1048577"],
    ]);
    assert.equal(plugin.request.pieceCount, 0);
  }
});

Deno.test("caching that is emulated fails when reading does", () => {
  const plugin = new TestPlugin(diskWat(
    { sb_pread: range("sb_pread", "(i32.const 5)") },
    RECORD + INFO({ [FIELD_CACHE]: 1 }),
  ));
  assert.equal(plugin.submit(Command.Cache), Errno.EIO);
});

Deno.test("without extents everything is data, with them one may be asked for", () => {
  const plugin = disk("");
  assert.deepEqual(ask(plugin, Command.BlockStatus, { length: 2n ** 40n + 1n }), [0, []]);
  assert.deepEqual(plugin.pieces(), [{ kind: Piece.Extent, at: 256, length: 1, value: 0 }]);
  const extents = disk(range(
    "sb_extents",
    `(call $extent (local.get $req) (local.get $count) (i32.const 3)) ${OK}`,
  ));
  assert.deepEqual(ask(extents, Command.BlockStatus, { length: 10, flags: ReqOne }), [
    0,
    ["sb_extents flags=8 count=10 offset=0"],
  ]);
  assert.deepEqual(extents.pieces(), [{ kind: Piece.Extent, at: 0, length: 10, value: 3 }]);
});

Deno.test("what an export cannot do is refused before the plugin is asked", () => {
  const plugin = disk("");
  for (const command of [Command.Flush, Command.Trim, Command.Cache]) {
    assert.deepEqual(ask(plugin, command, {}), [Errno.EINVAL, []]);
    assert.match(plugin.request.errorText, /^the export has no (flush|trim|cache)$/);
  }
  const readOnly = disk(INFO({ [FIELD_WRITE]: 0 }));
  assert.equal(readOnly.write(0, new Uint8Array(1)), Errno.EPERM);
  assert.deepEqual(ask(readOnly, Command.WriteZeroes, {}), [Errno.EINVAL, []]);
  assert.equal(plugin.submit(99), Errno.EINVAL);
});

Deno.test("emulation fails with ENOMEM when the plugin has no memory for it", () => {
  const alloc = `(func (export "sb_alloc") (param i32 i32) (result i32)
    (if (result i32) (i32.gt_u (local.get 0) (i32.const 56)) (then ${OK}) (else (i32.const 64))))`;
  const plugin = new TestPlugin(diskWat({ sb_alloc: alloc }));
  assert.equal(plugin.submit(Command.WriteZeroes, { length: 1048576 }), Errno.ENOMEM);
  assert.equal(plugin.request.errorText, 'there is no memory in plugin "test" for emulation');
});
