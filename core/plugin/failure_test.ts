// SPDX-License-Identifier: MIT
// Requests that end badly while memory is lent or parts of them are under way below: the right error
// reaches the client, once, and the instance can be used afterwards.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Piece, Status } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { TestPlugin, text } from "./test_device.ts";
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
  WRITE,
} from "./test_filters.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

/** The payload lies in the memory of this one, so that what is below has to copy it. */
const TRANSFORM = { manifest: { calls: { pwrite: "transform" } } };
const FORWARD_WRITE = forward("sb_pwrite", offset, WRITE);
/** As in the tests of pending requests: a disk whose sb_pwrite is `body`. */
const writing = (body: string) =>
  new TestPlugin(
    diskWat({ sb_pwrite: `(func (export "sb_pwrite") ${WRITE} ${body})` }, text(16, "no luck")),
  );

Deno.test("the text of an error survives giving back the copy of a payload", () => {
  const body = `(call $error_text (i32.const 16) (i32.const 7)) (i32.const 28)`;
  const plugin = filter(FORWARD_WRITE, { below: [writing(body)], ...TRANSFORM });
  assert.equal(plugin.write(0, Uint8Array.of(1)), Errno.ENOSPC);
  assert.equal(plugin.request.errorText, "no luck");
});

Deno.test("a broken rule is not forgotten while the copy of a payload is given back", () => {
  const below = writing(
    `(call $reply_zero (i32.const 99) (i64.const 0) (i64.const 1) ${OK}) ${OK}`,
  );
  const plugin = filter(FORWARD_WRITE, { below: [below], ...TRANSFORM });
  assert.equal(plugin.write(0, Uint8Array.of(1)), Errno.EIO);
  assert.match(plugin.request.errorText, /breaks the ABI in sb_pwrite: reply_zero: request 99/);
});

Deno.test("a trap says so although a copy of the payload is given back after it", () => {
  const plugin = filter(FORWARD_WRITE, { below: [writing("unreachable")], ...TRANSFORM });
  assert.equal(plugin.write(0, Uint8Array.of(1)), Errno.EIO);
  assert.match(plugin.request.errorText, /plugin "test" .* in sb_pwrite/);
});

Deno.test("a request that does not fit is not waited for", () => {
  const wat = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE}
       (call $reply_data ${req} (i64.const 0) ${OK} ${count} ${OK}) (i32.const -1))`,
    ["reply_data"],
  );
  const plugin = new TestPlugin(wat, { manifest: { abi: "3.1" } });
  const { memory } = plugin.device;
  plugin.request.space = { memory, take: () => 0 };
  assert.equal(plugin.submit(Command.Read), Errno.ENOMEM);
  assert.match(plugin.request.errorText, /there is no memory/);
});

Deno.test("an allocator that fails while pending requests fail is called once for each", () => {
  const agenda = new Agenda();
  const wat = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE} unreachable)
     (func (export "sb_pwrite") ${WRITE} (i32.const -1))`,
  ).replace(
    /\(func \(export "sb_free"\)[^)]*\)\)/,
    `(func (export "sb_free") (param i32 i32 i32) unreachable)`,
  );
  const below = new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda });
  const plugin = filter(`${FORWARD_WRITE} ${forward("sb_pread", offset)}`, {
    below: [below],
    agenda,
    ...TRANSFORM,
  });
  assert.equal(plugin.write(0, Uint8Array.of(1)), Status.Pending);
  assert.equal(below.submit(Command.Read), Errno.EIO);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [Errno.EIO]);
});

Deno.test("a filter that traps with parts under way fails its request when they have ended", () => {
  const agenda = new Agenda();
  const half = (child: number, at: number) =>
    `(drop (call $next_forward ${req} (i32.const ${child}) (i64.const ${at}) (i64.const 8)
      ${offset} ${flags} ${OK}))`;
  const children = { minimum: 2, maximum: 2 };
  const plugin = filter(
    `(func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE} ${half(0, 0)} ${half(1, 8)}
       (if (i64.eqz ${offset}) (then unreachable)) (i32.const -1))`,
    { below: [lateDisk(agenda), lateDisk(agenda)], agenda, manifest: { children } },
  );
  assert.equal(plugin.submit(Command.Read, { length: 16 }), Status.Pending);
  assert.deepEqual(plugin.ended, [], "what is below may still write to the answer");
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [Errno.EIO]);
  assert.match(plugin.request.errorText, /plugin "test" .* in sb_pread/);
  assert.equal(plugin.request.pieceCount, 0);
  assert.equal(plugin.submit(Command.Read, { length: 16, offset: 32 }), Status.Pending);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [Errno.EIO, 0]);
});

Deno.test("a filter that traps as it is told of a part fails the request once", () => {
  const agenda = new Agenda();
  const children = { minimum: 2, maximum: 2 };
  const part = (child: number, token: number) =>
    `(drop (call $next_forward ${req} (i32.const ${child}) ${OK_64} ${count} ${offset} ${flags}
      (i32.const ${token})))`;
  const plugin = filter(
    `(func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE} (i32.const 5))
     (func (export "sb_pwrite") ${WRITE} ${part(0, 0)} ${part(1, 7)} (i32.const -1))
     (func (export "sb_done") (param i32 i32) unreachable)`,
    { below: [lateDisk(agenda), lateDisk(agenda)], agenda, manifest: { children } },
  );
  assert.equal(plugin.write(0, Uint8Array.of(1)), Status.Pending);
  settle(plugin, agenda);
  assert.deepEqual(plugin.ended, [Errno.EIO]);
});

const OK_64 = "(i64.const 0)";

/** A disk of which `bytes` are reported by sb_extents, which may be less than was asked for. */
function reporting(bytes: number, flags: number): TestPlugin {
  const extents = `(func (export "sb_extents") ${RANGE}
    (call $extent ${req} (i64.const ${bytes}) (i32.const ${flags})) ${OK})`;
  return new TestPlugin(diskWat({}, extents));
}

Deno.test("extents of a part that stops short are the last that are known", () => {
  const children = { minimum: 2, maximum: 2 };
  const part = (child: number, at: number) =>
    `(drop (call $next_forward ${req} (i32.const ${child}) (i64.const ${at}) (i64.const 8192)
      (i64.const 0) ${OK} ${OK}))`;
  const plugin = filter(
    `(func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE} (i32.const 5))
     (func (export "sb_extents") ${RANGE} ${part(0, 0)} ${part(1, 8192)}
       (call $extent ${req} (i64.const 512) (i32.const 0)) ${OK})`,
    {
      below: [reporting(4096, 0), reporting(8192, 3)],
      imports: ["extent"],
      manifest: { children },
    },
  );
  assert.equal(plugin.submit(Command.BlockStatus, { length: 16384 }), 0);
  assert.deepEqual(plugin.pieces().map(({ kind, length, value }) => [kind, length, value]), [
    [Piece.Extent, 4096, 0],
  ]);
});
