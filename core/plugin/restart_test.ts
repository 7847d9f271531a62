// SPDX-License-Identifier: MIT
// Answers that a filter begins again, and reads that fail as a whole (ABI, "next_forward").

import assert from "node:assert/strict";
import { Command, Piece, Status } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { TestPlugin } from "./test_device.ts";
import { count, filter, flags, lateDisk, offset, OK, req, settle } from "./test_filters.ts";
import { diskWat, RANGE } from "./test_plugins.ts";

/** Answers with zeroes whose second half has failed. */
const TORN = `(func (export "sb_pread") ${RANGE} (local $half i64)
  (local.set $half (i64.shr_u ${count} (i64.const 1)))
  (call $reply_zero ${req} (i64.const 0) (local.get $half) ${OK})
  (call $reply_error ${req} (local.get $half) (local.get $half) (i32.const 61))
  ${OK})`;

/** Asks the first child, with the flag in its place, and the second one where that fails. */
const elsewhere = (flag: number) =>
  `(func (export "sb_size") (param i32) (result i64) (i64.const 65536))
  (func (export "sb_pread") ${RANGE}
    (if (result i32) (call $next_forward ${req} (i32.const 0) (i64.const 0) ${count} ${offset}
        (i32.const ${flag}) (i32.const 1))
      (then (call $next_forward ${req} (i32.const 1) (i64.const 0) ${count} ${offset} ${flags} ${OK}))
      (else ${OK})))
  (func (export "sb_done") (param i32 i32))`;

function torn(): TestPlugin {
  const disk = new TestPlugin(diskWat());
  return filter(TORN, {
    below: [disk],
    imports: ["reply_zero", "reply_error"],
    manifest: { calls: { pread: "transform" } },
  });
}

Deno.test("a read that fails in part is answered in part, or goes elsewhere as a whole", () => {
  const good = new TestPlugin(diskWat());
  good.write(0, new Uint8Array(512).fill(7));
  const children = { minimum: 2, maximum: 2 };
  const ask = (flag: number) => {
    const plugin = filter(elsewhere(flag), { below: [torn(), good], manifest: { children } });
    assert.equal(plugin.submit(Command.Read, { length: 512 }), 0);
    return plugin;
  };
  assert.deepEqual(ask(0).pieces().map(({ kind }) => kind), [Piece.Zero, Piece.Error]);
  assert.deepEqual(ask(16).bytes(512), new Uint8Array(512).fill(7));
});

/** Forwards, forgets, and answers by other means. */
const SECOND_THOUGHTS = `(func (export "sb_pread") ${RANGE}
    (drop (call $reply_buffer ${req} (i64.const 0) (i64.const 8)))
    (drop (call $next_forward ${req} ${OK} (i64.const 8) (i64.const 8) ${offset} ${flags} (i32.const 1)))
    (call $reply_restart ${req})
    (call $next_forward ${req} ${OK} (i64.const 0) ${count} ${offset} ${flags} ${OK}))
  (func (export "sb_done") (param i32 i32))`;
const IMPORTS = ["reply_buffer", "reply_restart"];

Deno.test("an answer can be begun again", () => {
  const disk = new TestPlugin(diskWat());
  disk.write(0, new Uint8Array(512).map((_, i) => i));
  const plugin = filter(SECOND_THOUGHTS, { below: [disk], imports: IMPORTS });
  assert.deepEqual(plugin.read(100, 50), new Uint8Array(50).map((_, i) => 100 + i));
  assert.equal(plugin.pieces().length, 1);
});

Deno.test("an answer cannot be begun again while part of it is under way", () => {
  const agenda = new Agenda();
  const plugin = filter(SECOND_THOUGHTS, { below: [lateDisk(agenda)], agenda, imports: IMPORTS });
  assert.equal(plugin.submit(Command.Read, { length: 64 }), Status.Pending);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [5]);
  assert.match(plugin.request.errorText, /reply_restart: what was forwarded is still under way/);
});

Deno.test("only reads and extents can be begun again", () => {
  const body = `(func (export "sb_flush") (param $h i32) (param $req i32) (param i32) (result i32)
    (call $reply_restart ${req}) ${OK})`;
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${OK})`;
  const disk = new TestPlugin(diskWat({}, flush));
  const plugin = filter(body, { below: [disk], imports: IMPORTS });
  assert.equal(plugin.submit(Command.Flush), 5);
  assert.match(plugin.request.errorText, /not answered with data or extents/);
});
