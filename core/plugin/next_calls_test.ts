// SPDX-License-Identifier: MIT
// What a filter may ask of its children, call by call, and what it is told about them.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Piece, RequestFlag } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { fails, TestPlugin } from "./test_device.ts";
import { count, filter, forward, offset, OK, req } from "./test_filters.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

/** Notes at 1024: its count, offset and flags, and which call it was. */
const note = (name: string, number: number) =>
  `(func (export "${name}") ${RANGE}
    (i64.store (i32.const 1024) ${count}) (i64.store (i32.const 1032) ${offset})
    (i32.store (i32.const 1040) (local.get $flags)) (i32.store (i32.const 1044) (i32.const ${number}))
    ${OK})`;

/** A disk that notes what it is asked for besides reads and writes. */
function noting(more = ""): TestPlugin {
  const calls = [note("sb_trim", 1), note("sb_zero", 2), note("sb_cache", 3)];
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32)
    (i64.store (i32.const 1024) (i64.const 0)) (i64.store (i32.const 1032) (i64.const 0))
    (i32.store (i32.const 1040) (local.get 2)) (i32.store (i32.const 1044) (i32.const 4)) ${OK})`;
  const info = `(func (export "sb_info") (param $h i32) (param $out i32) (result i32)
    (i32.store offset=4 (local.get $out) (i32.const 512))
    (i32.store offset=24 (local.get $out) (i32.const 2))
    (i32.store offset=36 (local.get $out) (i32.const 2))
    (i32.store offset=52 (local.get $out) (i32.const 1)) ${OK})`;
  return new TestPlugin(diskWat({}, [...calls, flush, info, more].join("\n")));
}

function noted({ device }: TestPlugin): number[] {
  const { view } = device.memory;
  return [
    Number(view.getBigUint64(1024, true)),
    Number(view.getBigUint64(1032, true)),
    view.getUint32(1040, true),
    view.getUint32(1044, true),
  ];
}

/** Flags of the ABI: FUA 1, MAY_TRIM 2, FAST_ZERO 4. */
for (
  const [call, number, flags] of [
    ["next_trim", 1, 1],
    ["next_zero", 2, 0],
    ["next_zero", 2, 1 | 2 | 4],
    ["next_cache", 3, 0],
  ] as const
) {
  Deno.test(`${call} reaches the child with its range and flags ${flags}`, () => {
    const disk = noting();
    const body = `(call $${call} (local.get $h) ${OK} (i64.const 1024) (i64.const 512)
      (i32.const ${flags}) ${OK})`;
    const plugin = filter(`(func (export "sb_pread") ${RANGE} ${body})`, {
      below: [disk],
      imports: [call],
    });
    // Nothing was read, which is told after what has been asked for below was done.
    assert.equal(plugin.submit(Command.Read, { length: 512 }), Errno.EIO);
    assert.match(plugin.request.errorText, /answered 0 of 512 bytes/);
    assert.deepEqual(noted(disk), [1024, 512, flags, number]);
  });
}

Deno.test("next_flush reaches the child", () => {
  const disk = noting();
  const plugin = filter(
    `(func (export "sb_flush") (param $h i32) (param i32 i32) (result i32)
      (call $next_flush (local.get $h) ${OK} ${OK} ${OK}))`,
    { below: [disk], imports: ["next_flush"] },
  );
  assert.equal(plugin.submit(Command.Flush), 0);
  assert.deepEqual(noted(disk), [0, 0, 0, 4]);
});

Deno.test("commands that are forwarded keep their range and flags", () => {
  const disk = noting();
  const plugin = filter([forward("sb_trim"), forward("sb_zero"), forward("sb_cache")].join("\n"), {
    below: [disk],
  });
  const range = { offset: 512, length: 1024 };
  assert.equal(plugin.submit(Command.Trim, { ...range, flags: RequestFlag.Fua }), 0);
  assert.deepEqual(noted(disk), [1024, 4608, 1, 1]);
  const flags = RequestFlag.FastZero | RequestFlag.NoHole;
  assert.equal(plugin.submit(Command.WriteZeroes, { ...range, flags }), 0);
  assert.deepEqual(noted(disk), [1024, 4608, 4, 2]);
  assert.equal(plugin.submit(Command.Cache, range), 0);
  assert.deepEqual(noted(disk), [1024, 4608, 0, 3]);
});

Deno.test("next_info tells what the child can do", () => {
  const disk = noting();
  const plugin = filter(
    `(func (export "sb_pread") ${RANGE}
      (i32.store (i32.const 2048) (i32.const 56))
      (if (call $next_info (local.get $h) ${OK} (i32.const 2048)) (then (return (i32.const 5))))
      (call $reply_data ${req} (i64.const 0) (i32.const 2048) ${count} ${OK}) ${OK})`,
    { below: [disk], imports: ["next_info", "reply_data"] },
  );
  const fields = new Int32Array(plugin.read(0, 56).slice().buffer);
  const { blockSize, can, rotational } = disk.opened.info;
  assert.deepEqual([...fields], [
    56,
    blockSize.minimum,
    blockSize.preferred,
    blockSize.maximum,
    can.write,
    can.flush,
    can.fua,
    can.trim,
    can.zero,
    can.fastZero,
    can.cache,
    can.extents,
    can.multiConn,
    rotational ? 1 : 0,
  ]);
  assert.equal(fields[1], 512);
});

for (
  const [what, body, fact] of [
    [
      "a struct that is too small",
      `(i32.store (i32.const 2048) (i32.const 52))`,
      /no struct of 56/,
    ],
    [
      "a struct beyond its memory",
      `(i32.store (i32.const 2048) (i32.const -1))`,
      /no struct of 56/,
    ],
  ] as const
) {
  Deno.test(`next_info with ${what} breaks the ABI`, () => {
    const plugin = filter(
      `(func (export "sb_pread") ${RANGE} ${body}
        (call $next_info (local.get $h) ${OK} (i32.const 2048)))`,
      { imports: ["next_info"] },
    );
    assert.equal(plugin.submit(Command.Read), Errno.EIO);
    assert.match(plugin.request.errorText, fact);
  });
}

Deno.test("next_close closes what next_open has opened, once", () => {
  const disk = new TestPlugin(
    diskWat(
      {},
      `(func (export "sb_close") (param i32)
      (i32.store8 (i32.const 65536) (i32.add (i32.load8_u (i32.const 65536)) (i32.const 1))))`,
    ),
  );
  const plugin = filter(
    `(func (export "sb_pread") ${RANGE}
      (call $next_close (call $next_open ${OK} ${OK} (i32.const 1)))
      (call $next_forward ${req} ${OK} (i64.const 0) ${count} (i64.const 0) ${OK} ${OK}))
     (func (export "sb_flush") (param i32 i32 i32) (result i32)
      (call $next_close (i32.const 0x40000000)) ${OK})`,
    {
      below: [disk],
      imports: ["next_open", "next_close"],
      manifest: { calls: { flush: "transform" } },
    },
  );
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(1));
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(2));
  assert.equal(plugin.submit(Command.Flush), Errno.EIO);
  assert.match(plugin.request.errorText, /next_close: there is no handle/);
});

Deno.test("stable data is copied under a filter that may change it, and not under others", () => {
  const kinds = (imports: string[]) => {
    const plugin = filter(forward("sb_pread", offset), { imports });
    plugin.write(0, Uint8Array.of(7));
    assert.deepEqual(plugin.read(0, 1), Uint8Array.of(7));
    return plugin.pieces().map(({ kind }) => kind);
  };
  assert.deepEqual(kinds([]), [Piece.StableData]);
  assert.deepEqual(kinds(["next_trim"]), [Piece.Data]);
  assert.deepEqual(kinds(["next_zero"]), [Piece.Data]);
});

Deno.test("clients are announced to filters first, and each may refuse them", () => {
  const admit = (errno: number) =>
    `(func (export "sb_connect") (param $p i32) (param $n i32) (result i32)
      (if (i32.ne (i32.load8_u (local.get $p)) (i32.const 116)) (then (return (i32.const 22))))
      (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
      (i32.const ${errno}))`;
  const disk = (errno: number) => {
    const wat = laterWat(
      `${admit(errno)} (func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
       (func (export "sb_size") (param i32) (result i64) (i64.const 4096))
       (func (export "sb_pread") ${RANGE} (i32.const 5))`,
    );
    return new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda: new Agenda() });
  };
  const asked = ({ device }: TestPlugin) => device.memory.view.getInt32(512, true);
  const open = disk(0);
  filter(admit(0), { below: [open] }).device.connect("tcp:192.0.2.1:1");
  assert.equal(asked(open), 1);
  const behind = disk(0);
  const closed = filter(admit(13), { below: [behind] });
  fails(() => closed.device.connect("tcp:192.0.2.1:1"), 13, /cannot admit the client: EACCES/);
  assert.equal(asked(behind), 0);
  fails(() => filter("", { below: [disk(1)] }).device.connect("tcp:1"), 1, /admit the client/);
});
