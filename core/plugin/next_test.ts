// SPDX-License-Identifier: MIT
// Filters: what they forward, what they ask for themselves, and what they may not say (ABI 3.1).

import assert from "node:assert/strict";
import { Support } from "../block/export.ts";
import { Command, Piece, RequestFlag, Status } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { fails, TestPlugin } from "./test_device.ts";
import {
  count,
  filter,
  flags,
  forward,
  lateDisk,
  offset,
  OK,
  req,
  settle,
  SHIFT,
  SHIFTED,
  WRITE,
} from "./test_filters.ts";
import { diskWat, RANGE } from "./test_plugins.ts";

Deno.test("what a filter forwards is answered by what is below it, where it lies", () => {
  const disk = new TestPlugin(diskWat());
  const plugin = filter(SHIFTED, { below: [disk] });
  assert.equal(plugin.opened.info.sizeLow, 65536 - SHIFT);
  assert.equal(plugin.device.memory, disk.device.memory, "payloads are for the disk");
  disk.write(SHIFT + 100, new Uint8Array(50).fill(7));
  assert.deepEqual(plugin.read(100, 50), new Uint8Array(50).fill(7));
  assert.equal(plugin.request.pieceKind(0), Piece.StableData);
  assert.equal(plugin.write(8, new Uint8Array(4).fill(9)), 0);
  assert.deepEqual(disk.read(SHIFT + 8, 4), new Uint8Array(4).fill(9));
});

Deno.test("filters stand on filters", () => {
  const disk = new TestPlugin(diskWat());
  let top = filter(SHIFTED, { below: [disk] });
  for (let i = 0; i < 4; i++) top = filter(SHIFTED, { below: [top] });
  disk.write(5 * SHIFT, new Uint8Array(50).fill(7));
  assert.deepEqual(top.read(0, 50), new Uint8Array(50).fill(7));
  assert.equal(top.opened.info.sizeLow, 65536 - 5 * SHIFT);
});

Deno.test("a call that a filter does not have goes past it, with its capabilities", () => {
  const disk = new TestPlugin(
    diskWat({}, `(func (export "sb_flush") (param i32 i32 i32) (result i32) (i32.const 28))`),
  );
  const plugin = filter("", { below: [disk] });
  assert.deepEqual(plugin.opened.info.can, disk.opened.info.can);
  assert.equal(plugin.submit(Command.Flush), 28);
  assert.notEqual(plugin.opened.route!(Command.Read), plugin.opened);
  assert.equal(plugin.write(0, Uint8Array.of(3)), 0);
  assert.deepEqual(plugin.read(0, 1), Uint8Array.of(3));
});

Deno.test("the answer of a forwarded request may come later", () => {
  const agenda = new Agenda();
  const plugin = filter(SHIFTED, { below: [lateDisk(agenda)], agenda });
  assert.equal(plugin.write(0, new Uint8Array(4).fill(9)), Status.Pending);
  settle(plugin, agenda);
  assert.equal(plugin.submit(Command.Read, { length: 4 }), Status.Pending);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [0, 0]);
  assert.deepEqual(plugin.bytes(4), new Uint8Array(4).fill(9));
});

/** Reads the halves of a request from two children. */
const HALVES = `(func (export "sb_size") (param i32) (result i64) (i64.const 65536))
  (func (export "sb_pread") ${RANGE} (local $half i64)
    (local.set $half (i64.shr_u ${count} (i64.const 1)))
    (i32.or
      (call $next_forward ${req} (i32.const 0) (i64.const 0) (local.get $half) ${offset} ${flags} ${OK})
      (call $next_forward ${req} (i32.const 1) (local.get $half) (local.get $half) ${offset} ${flags} ${OK})))`;

for (const late of [0, 1, 2, 3]) {
  Deno.test(`parts of an answer keep their order, whichever come late (${late})`, () => {
    const agenda = new Agenda();
    const below = [1, 2].map((bit) => {
      if ((late & bit) !== 0) return lateDisk(agenda);
      return new TestPlugin(diskWat(), { agenda });
    });
    below.forEach((disk, index) => {
      disk.write(512, new Uint8Array(8).fill(index + 1));
      settle(disk, agenda);
    });
    const children = { minimum: 2, maximum: 2 };
    const plugin = filter(HALVES, { below, agenda, manifest: { children } });
    const status = plugin.submit(Command.Read, { offset: 512, length: 16 });
    assert.equal(status, late === 0 ? 0 : Status.Pending);
    settle(plugin, agenda);
    assert.deepEqual([...plugin.bytes(16)], [...Array(8).fill(1), ...Array(8).fill(2)]);
  });
}

Deno.test("a filter reads and writes below it with its own memory", () => {
  const disk = new TestPlugin(diskWat());
  // Stores what is written inverted.
  const invert = `(func $invert (param $at i32) (param $n i32)
    (loop $next (i32.store8 (local.get $at) (i32.xor (i32.load8_u (local.get $at)) (i32.const 255)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))`;
  const plugin = filter(
    `${invert}
    (func (export "sb_pread") ${RANGE} (local $p i32)
      (local.set $p (call $reply_buffer ${req} (i64.const 0) ${count}))
      (if (call $next_pread (local.get $h) ${OK} (local.get $p) ${count} ${offset} ${OK} ${OK})
        (then (return (i32.const 5))))
      (call $invert (local.get $p) (i32.wrap_i64 ${count})) ${OK})
    (func (export "sb_pwrite") ${WRITE}
      (memory.copy (i32.const 1024) (local.get $data) (i32.wrap_i64 ${count}))
      (call $invert (i32.const 1024) (i32.wrap_i64 ${count}))
      (call $next_pwrite (local.get $h) ${OK} (i32.const 1024) ${count} ${offset} ${flags} ${OK}))`,
    {
      below: [disk],
      imports: ["reply_buffer", "next_pread", "next_pwrite"],
      manifest: { calls: { pread: "transform", pwrite: "transform" } },
    },
  );
  assert.notEqual(plugin.device.memory, disk.device.memory, "payloads are for the filter");
  assert.equal(plugin.write(10, Uint8Array.of(1, 2, 3)), 0);
  assert.deepEqual(disk.read(10, 3), Uint8Array.of(254, 253, 252));
  assert.deepEqual(plugin.read(10, 3), Uint8Array.of(1, 2, 3));
  // What it writes by other means, zeroes must not go past.
  assert.equal(plugin.opened.info.can.zero, Support.Emulate);
  assert.equal(plugin.submit(Command.WriteZeroes, { offset: 10, length: 2 }), 0);
  assert.deepEqual(disk.read(10, 3), Uint8Array.of(255, 255, 252));
});

Deno.test("a write through a filter that wants payloads reaches a disk that wants them too", () => {
  const agenda = new Agenda();
  const disk = lateDisk(agenda);
  const plugin = filter(`${forward("sb_pwrite", offset, WRITE)}`, {
    below: [disk],
    agenda,
    manifest: { calls: { pwrite: "transform" } },
  });
  assert.equal(plugin.write(0, Uint8Array.of(5, 6)), Status.Pending);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [0]);
  assert.equal(disk.submit(Command.Read, { length: 2 }), Status.Pending);
  settle(disk, agenda);
  assert.deepEqual(disk.bytes(2), Uint8Array.of(5, 6));
});

Deno.test("sb_done tells how a request of the filter's own has ended", () => {
  const agenda = new Agenda();
  const disk = lateDisk(agenda);
  disk.write(0, Uint8Array.of(5, 6));
  settle(disk, agenda);
  const plugin = filter(
    `(global $late (mut i32) ${OK})
    (func (export "sb_pread") ${RANGE} (global.set $late ${req})
      (call $next_pread (local.get $h) ${OK} (i32.const 1024) ${count} ${offset} ${OK} (i32.const 3)))
    (func (export "sb_done") (param i32 i32)
      (if (i32.ne (local.get 0) (i32.const 3)) (then unreachable))
      (call $reply_data (global.get $late) (i64.const 0) (i32.const 1024) (i64.const 2) ${OK})
      (call $complete (global.get $late) (local.get 1)))`,
    { below: [disk], agenda, imports: ["next_pread", "reply_data", "complete"] },
  );
  assert.equal(plugin.submit(Command.Read, { length: 2 }), Status.Pending);
  assert.equal(plugin.device.busy, true);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [0]);
  assert.equal(plugin.device.busy, false);
  assert.deepEqual(plugin.bytes(2), Uint8Array.of(5, 6));
});

Deno.test("zeroes and durability are made up for while requests are pending", () => {
  const agenda = new Agenda();
  const disk = lateDisk(agenda);
  const plugin = filter(forward("sb_pwrite", offset, WRITE), {
    below: [disk],
    agenda,
    manifest: { calls: { pwrite: "transform" } },
  });
  plugin.write(0, new Uint8Array(3).fill(9));
  settle(plugin, agenda);
  const flags = RequestFlag.Fua;
  assert.equal(disk.submit(Command.WriteZeroes, { length: 2, flags }), Status.Pending);
  settle(disk, agenda);
  assert.deepEqual(disk.ended, [0]);
  disk.submit(Command.Read, { length: 3 });
  settle(disk, agenda);
  assert.deepEqual(disk.bytes(3), Uint8Array.of(0, 0, 9));
});

for (
  const [what, body, fact] of [
    [
      "a child that is not there",
      `(call $next_forward ${req} (i32.const 1) (i64.const 0) ${count}
      ${offset} ${OK} ${OK})`,
      /there is no child 1/,
    ],
    [
      "beyond the end of the child",
      `(call $next_forward ${req} ${OK} (i64.const 0) ${count}
      (i64.const 65000) ${OK} ${OK})`,
      /reach beyond the end of the child/,
    ],
    [
      "a wrong offset",
      `(call $next_forward ${req} ${OK} (i64.const 0) ${count}
      (i64.const -1) ${OK} ${OK})`,
      /reach beyond the end of the child/,
    ],
    [
      "more than was asked for",
      `(call $next_forward ${req} ${OK} (i64.const 0)
      (i64.add ${count} (i64.const 1)) ${offset} ${OK} ${OK})`,
      /beyond the 4096 requested/,
    ],
    [
      "with a gap",
      `(call $next_forward ${req} ${OK} (i64.const 8) (i64.const 8)
      ${offset} ${OK} ${OK})`,
      /leaves a gap/,
    ],
    [
      "somebody else's request",
      `(call $next_forward (i32.const 99) ${OK} (i64.const 0) ${count}
      ${offset} ${OK} ${OK})`,
      /request 99 is not the one under way/,
    ],
    [
      "less than was asked for",
      `(call $next_forward ${req} ${OK} (i64.const 0) (i64.const 8)
      ${offset} ${OK} ${OK})`,
      /answered 8 of 4096 bytes/,
    ],
    [
      "to memory that it does not have",
      `(call $next_pread (local.get $h) ${OK} (i32.const -8)
      (i64.const 16) ${offset} ${OK} ${OK})`,
      /are not in its memory/,
    ],
    [
      "with a handle that is not open",
      `(call $next_pread (i32.const 5) ${OK} ${OK}
      (i64.const 16) ${offset} ${OK} ${OK})`,
      /there is no handle 5/,
    ],
  ] as const
) {
  Deno.test(`a filter that asks for ${what} breaks the ABI`, () => {
    const pread = `(func (export "sb_pread") ${RANGE} ${body})`;
    const plugin = filter(pread, { imports: ["next_pread"] });
    assert.equal(plugin.submit(Command.Read), 5);
    assert.match(plugin.request.errorText, fact);
    assert.equal(plugin.request.pieceCount, 0);
  });
}

Deno.test("a filter opens what is below it read-only where it says so", () => {
  const plugin = filter(forward("sb_pwrite", offset, WRITE), {
    manifest: { next_read_only: true, calls: { pwrite: "transform" } },
  });
  assert.equal(plugin.opened.info.readOnly, false);
  assert.equal(plugin.write(0, Uint8Array.of(1)), 5);
  assert.match(plugin.request.errorText, /the child is read-only/);
});

Deno.test("a filter that writes by other means cannot where its child cannot", () => {
  const disk = new TestPlugin(diskWat({ sb_pwrite: "" }));
  const plugin = filter(forward("sb_pwrite", offset, WRITE), {
    below: [disk],
    manifest: { calls: { pwrite: "transform" } },
  });
  assert.equal(plugin.opened.info.can.write, Support.None);
  assert.equal(plugin.opened.info.readOnly, true);
});

Deno.test("a filter that passes flushes on has no durable writes where its child cannot flush", () => {
  const passed = `(func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $next_forward (local.get 1) ${OK} (i64.const 0) (i64.const 0) (i64.const 0) ${OK} ${OK}))`;
  const { can } = filter(forward("sb_pwrite", offset, WRITE) + passed, {
    manifest: { calls: { pwrite: "transform" } },
  }).opened.info;
  assert.deepEqual([can.write, can.flush, can.fua], [Support.Native, Support.None, Support.None]);
});

Deno.test("extents below are told to a filter as a list", () => {
  const extents = `(func (export "sb_extents") ${RANGE}
    (call $extent ${req} (i64.const 0x100000200) (i32.const 0))
    (call $extent ${req} (i64.const 512) (i32.const 3)) ${OK})`;
  const disk = new TestPlugin(diskWat({}, extents));
  const plugin = filter(
    `(func (export "sb_extents") ${RANGE}
      (i32.store (i32.const 1024) (i32.const 2))
      (if (call $next_extents (local.get $h) ${OK} (i32.const 1024) ${count} ${offset} ${OK} ${OK})
        (then (return (i32.const 5))))
      (call $extent ${req} (i64.load (i32.const 1032)) (i32.load (i32.const 1040)))
      (call $extent ${req} (i64.load (i32.const 1048)) (i32.load (i32.const 1056)))
      (i32.sub (i32.load (i32.const 1028)) (i32.const 2)))`,
    { below: [disk], imports: ["next_extents", "extent"] },
  );
  assert.equal(plugin.submit(Command.BlockStatus, { length: 65536 }), 0);
  assert.deepEqual(plugin.pieces().map(({ at, length, value }) => [at, length, value]), [
    [1, 512, 0],
    [0, 512, 3],
  ]);
});

Deno.test("a handle of a filter is its own as long as it is open", () => {
  const plugin = filter(`(func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 4))`);
  const options = { readOnly: false, peer: "" };
  const first = plugin.device.open("", options);
  fails(() => plugin.device.open("", options), 5, /handle 4 is open already/);
  first.close();
  plugin.device.open("", options).close();
});

Deno.test("a filter needs as many devices below it as its manifest says", () => {
  assert.throws(() => filter(HALVES, { manifest: { children: { minimum: 2, maximum: 4 } } }), {
    message: 'cannot start "test" above 1 devices: it takes 2 to 4',
  });
});

Deno.test("the background of a filter has a handle of its own, without a client", () => {
  const disk = new TestPlugin(diskWat());
  disk.write(0, Uint8Array.of(42));
  const plugin = filter(
    `(global $own (mut i32) ${OK})
    (func (export "sb_ready") (result i32)
      (global.set $own (call $next_open ${OK} ${OK} (i32.const 1)))
      (drop (call $timer (i64.const 0) (i32.const 1))) ${OK})
    (func (export "sb_done") (param i32 i32)
      (drop (call $next_pread (global.get $own) ${OK} (i32.const 1024) (i64.const 1) (i64.const 0) ${OK} ${OK}))
      (call $metric ${OK} (i64.load8_u (i32.const 1024))))`,
    {
      below: [disk],
      imports: ["next_open", "next_pread", "timer", "metric"],
      manifest: { metrics: [{ name: "first_byte", type: "gauge" }] },
    },
  );
  plugin.device.reap();
  assert.deepEqual(plugin.device.metrics(), [{ name: "first_byte", value: 42 }]);
  plugin.device.close();
});

Deno.test("a flush that follows a durable write can be passed on as what it is", () => {
  let flushes = 0;
  const disk = new TestPlugin(
    diskWat(
      {},
      `(func (export "sb_flush") (param i32 i32 i32) (result i32)
         (call $log ${OK} ${OK} ${OK}) ${OK})`,
    ),
    { log: () => void flushes++ },
  );
  // It writes by itself, so the host makes FUA out of its flush.
  const plugin = filter(
    `(func (export "sb_pwrite") ${WRITE}
       (call $next_pwrite (local.get $h) ${OK} (local.get $data) ${count} ${offset} ${OK} ${OK}))
     (func (export "sb_flush") (param i32 i32 i32) (result i32)
       (call $next_forward (local.get 1) ${OK} (i64.const 0) (i64.const 0) (i64.const 0) ${OK} ${OK}))`,
    { below: [disk], imports: ["next_pwrite"], manifest: { calls: { pwrite: "transform" } } },
  );
  assert.equal(plugin.opened.info.can.fua, Support.Emulate);
  assert.equal(plugin.write(0, Uint8Array.of(1, 2), RequestFlag.Fua), 0);
  assert.equal(flushes, 1);
});
