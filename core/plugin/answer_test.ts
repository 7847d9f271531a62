// SPDX-License-Identifier: MIT
// What plugins may answer with, and every way in which they may lie.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Piece, PIECES_MAX, Request } from "../block/request.ts";
import { TestPlugin, type TestRequest } from "./test_device.ts";
import { DISK_BYTES, diskWat, RANGE } from "./test_plugins.ts";

/** A disk whose sb_pread is `body`. */
function reader(body: string, more = "", is64 = false): TestPlugin {
  return new TestPlugin(
    diskWat({ sb_pread: `(func (export "sb_pread") ${RANGE} ${body})` }, more, { is64 }),
  );
}

const req = "(local.get $req)";
const OK = "(i32.const 0)";
const count = "(local.get $count)";

Deno.test("a read is answered with stable data where it lies", () => {
  for (const is64 of [false, true]) {
    const disk = new TestPlugin(diskWat({}, "", { is64 }));
    assert.equal(disk.submit(Command.Read, { offset: 8192, length: 100 }), 0);
    const stable = { kind: Piece.StableData, at: 0, length: 100, value: 65536 + 8192 };
    assert.deepEqual(disk.pieces(), [stable]);
  }
});

Deno.test("transient data is copied at once", () => {
  const fill = "(memory.fill (i32.const 100) (i32.const 0x41) (i32.const 16))";
  const reply = `(call $reply_data ${req} (i64.const 0) (i32.const 100) ${count} (i32.const 0))`;
  const spoil = "(memory.fill (i32.const 100) (i32.const 0x42) (i32.const 16))";
  const disk = reader(`${fill} ${reply} ${spoil} ${OK}`);
  assert.deepEqual(disk.read(0, 16), new Uint8Array(16).fill(0x41));
  assert.equal(disk.pieces()[0]!.kind, Piece.Data);
});

Deno.test("reply_buffer lends memory that the plugin fills", () => {
  for (const is64 of [false, true]) {
    const disk = reader(
      `(memory.fill (call $reply_buffer ${req} (i64.const 0) (i64.const 10)) (i32.const 1) (P.const 10))
       (memory.fill (call $reply_buffer ${req} (i64.const 10) (i64.const 6)) (i32.const 2) (P.const 6))
       ${OK}`,
      "",
      is64,
    );
    assert.deepEqual([...disk.read(0, 16)], [...new Array(10).fill(1), ...new Array(6).fill(2)]);
    for (const { value } of disk.pieces()) assert.equal(value % disk.device.bufferAlignment, 0);
  }
});

Deno.test("data, zeroes, holes and errors make up one answer", () => {
  const disk = reader(
    `(call $reply_data ${req} (i64.const 0) (i32.const 0) (i64.const 10) (i32.const 1))
     (call $reply_zero ${req} (i64.const 10) (i64.const 20) (i32.const 0))
     (call $reply_zero ${req} (i64.const 30) (i64.const 30) (i32.const 1))
     (call $reply_error ${req} (i64.const 60) (i64.const 40) (i32.const 28)) ${OK}`,
  );
  assert.equal(disk.submit(Command.Read, { length: 100 }), 0);
  assert.deepEqual(disk.pieces(), [
    { kind: Piece.StableData, at: 0, length: 10, value: 0 },
    { kind: Piece.Zero, at: 10, length: 20, value: 0 },
    { kind: Piece.Hole, at: 30, length: 30, value: 0 },
    { kind: Piece.Error, at: 60, length: 40, value: Errno.ENOSPC },
  ]);
});

Deno.test("a plugin gets 64-bit offsets and counts as they are", () => {
  const disk = reader(
    `(i64.store (i32.const 8) (local.get $offset)) (i64.store (i32.const 16) ${count})
     (i32.store (i32.const 24) (local.get $h))
     (call $reply_zero ${req} (i64.const 0) ${count} (i32.const 1)) ${OK}`,
  );
  const offset = 0x7654321089abcdefn;
  assert.equal(disk.submit(Command.Read, { offset, length: 0x1_8000_0001n }), 0);
  assert.equal(disk.device.memory.view.getBigInt64(8, true), offset);
  assert.equal(disk.device.memory.view.getBigInt64(16, true), 0x1_8000_0001n);
  assert.equal(disk.device.memory.view.getInt32(24, true), 7);
  assert.deepEqual(disk.pieces(), [{ kind: Piece.Hole, at: 0, length: 0x1_8000_0001, value: 0 }]);
});

Deno.test("an answer in very many pieces is taken, one more is a lie", () => {
  const loop = (pieces: number) =>
    `(local $at i64) (loop $next
      (call $reply_zero ${req} (local.get $at) (i64.const 1) (i32.const 0))
      (br_if $next (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 1)))
        (i64.const ${pieces})))) ${OK}`;
  assert.equal(reader(loop(PIECES_MAX)).submit(Command.Read, { length: PIECES_MAX }), 0);
  const lying = reader(loop(PIECES_MAX + 1));
  assert.equal(lying.submit(Command.Read, { length: PIECES_MAX + 1 }), Errno.EIO);
  assert.match(lying.request.errorText, /more than 65536 pieces/);
});

/** A read of 4096 bytes by a plugin with this sb_pread fails with EIO and this text. */
function assertLie(body: string, fact: RegExp, request: TestRequest = {}): void {
  const disk = reader(body);
  assert.equal(disk.submit(Command.Read, request), Errno.EIO, body);
  assert.match(disk.request.errorText, /^plugin "test" breaks the ABI in sb_pread: /);
  assert.match(disk.request.errorText, fact);
  assert.equal(disk.request.pieceCount, 0);
  assert.equal(disk.lines.length, 1);
  assert.match(disk.lines[0]!, /^error: plugin "test": breaks the ABI in sb_pread: /);
  // The plugin goes on being served.
  assert.equal(disk.write(0, new Uint8Array(10)), 0);
}

const zero = (at: number | bigint, length: number | bigint) =>
  `(call $reply_zero ${req} (i64.const ${at}) (i64.const ${length}) (i32.const 0))`;
const data = (pointer: string, length: string, flags = 1) =>
  `(call $reply_data ${req} (i64.const 0) (i32.const ${pointer}) (i64.const ${length}) (i32.const ${flags}))`;

Deno.test("an answer that does not cover the request is a lie", () => {
  assertLie(OK, /: it answered 0 of 4096 bytes$/);
  assertLie(`${zero(0, 4095)} ${OK}`, /: it answered 4095 of 4096 bytes$/);
});

Deno.test("pieces that overlap, leave gaps, are empty or reach beyond are lies", () => {
  assertLie(
    `${zero(0, 10)} ${zero(9, 10)} ${OK}`,
    /reply_zero: the piece at 9 overlaps .* up to 10$/,
  );
  assertLie(`${zero(0, 10)} ${zero(0, 10)} ${OK}`, /the piece at 0 overlaps/);
  assertLie(`${zero(0, 10)} ${zero(11, 10)} ${OK}`, /the piece at 11 leaves a gap after 10$/);
  assertLie(`${zero(-1, 10)} ${OK}`, /leaves a gap after 0$/);
  assertLie(`${zero(0, 0)} ${OK}`, /reply_zero: the length is 0$/);
  assertLie(`${zero(0, 4097)} ${OK}`, /4097 bytes at 0 reach beyond the 4096 requested$/);
  assertLie(`${zero(0, -1)} ${OK}`, /reach beyond the 4096 requested$/);
  assertLie(`${zero(0, 2n ** 32n + 4096n)} ${OK}`, /4294971392 bytes at 0 reach beyond/);
  assertLie(`${zero(0, 4096)} ${zero(4096, 1)} ${OK}`, /1 bytes at 4096 reach beyond/);
});

Deno.test("pointers outside of the memory are lies", () => {
  const size = 4 * 65536;
  assertLie(
    `${data(`${size - 4095}`, "4096")} ${OK}`,
    /reply_data: 4096 bytes at 258049 are not in its memory$/,
  );
  assertLie(`${data("-1", "4096")} ${OK}`, /4096 bytes at 4294967295 are not in its memory$/);
  assertLie(`${data("-4096", "4096")} ${OK}`, /are not in its memory$/);
  const last = reader(`${data(`${size - 4096}`, "4096")} ${OK}`);
  assert.equal(last.submit(Command.Read), 0);
});

Deno.test("unknown flags, errnos out of range and statuses out of range are lies", () => {
  assertLie(`${data("0", "4096", 2)} ${OK}`, /reply_data: unknown flags 0x2$/);
  assertLie(
    `(call $reply_zero ${req} (i64.const 0) ${count} (i32.const 4)) ${OK}`,
    /reply_zero: unknown flags 0x4$/,
  );
  for (const errno of [0, -5, 134, 1000000]) {
    assertLie(
      `(call $reply_error ${req} (i64.const 0) ${count} (i32.const ${errno})) ${OK}`,
      new RegExp(`reply_error: ${errno} is no errno; they are 1 to 133$`),
    );
  }
  for (const status of [-1, -28, 134, 0x7fffffff, -0x80000000]) {
    assertLie(
      `(i32.const ${status})`,
      new RegExp(`it returned ${status}, which is no errno; they are 1 to 133$`),
    );
  }
});

Deno.test("an answer to another request is a lie", () => {
  assertLie(
    `(call $reply_zero (i32.add ${req} (i32.const 1)) (i64.const 0) ${count} (i32.const 0)) ${OK}`,
    /reply_zero: request 2 is not the one under way, 1$/,
  );
  assertLie(
    `(call $reply_zero (i32.const 0) (i64.const 0) ${count} (i32.const 0)) ${OK}`,
    /request 0 is not the one under way/,
  );
  assertLie(
    `(call $extent ${req} ${count} (i32.const 0)) ${OK}`,
    /extent: it was not asked for extents$/,
  );
});

Deno.test("an answer to a request that wants none is a lie", () => {
  const write = `(func (export "sb_pwrite") (param $h i32) (param $req i32) (param i32 i64 i64 i32)
    (result i32) (call $reply_zero ${req} (i64.const 0) (i64.const 1) (i32.const 0)) ${OK})`;
  const disk = new TestPlugin(diskWat({ sb_pwrite: write }));
  assert.equal(disk.write(0, new Uint8Array(1)), Errno.EIO);
  assert.match(disk.request.errorText, /in sb_pwrite: reply_zero: it was not asked for data$/);
});

Deno.test("an answer when there is no request is a lie", () => {
  const open = `(func (export "sb_open") (param i32 i32 i32) (result i32)
    (call $reply_zero (i32.const 0) (i64.const 0) (i64.const 1) (i32.const 0)) (i32.const 1))`;
  const disk = new TestPlugin(diskWat({ sb_open: open }));
  assert.throws(() => disk.opened, {
    name: "BlockError",
    errno: Errno.EIO,
    message: `plugin "test" breaks the ABI in sb_open: reply_zero: there is no request`,
  });
});

Deno.test("the first lie counts, and what comes after it does nothing", () => {
  assertLie(
    `${zero(5, 10)} ${zero(0, 4096)} ${zero(-7, 3)} ${OK}`,
    /the piece at 5 leaves a gap after 0$/,
  );
  assertLie(`${zero(5, 10)} (i32.const 28)`, /the piece at 5 leaves a gap/);
  assertLie(
    `${
      zero(5, 10)
    } (if (call $reply_buffer ${req} (i64.const 0) ${count}) (then unreachable)) ${OK}`,
    /the piece at 5 leaves a gap/,
  );
});

Deno.test("an errno fails the request with the text of the plugin and without its pieces", () => {
  const disk = reader(
    `${zero(0, 10)} (call $error_text (i32.const 100) (i32.const 11)) (i32.const 28)`,
    `(data (i32.const 100) "disk\\nis full")`,
  );
  assert.equal(disk.submit(Command.Read), Errno.ENOSPC);
  assert.equal(disk.request.errorText, "disk\\nis ful");
  assert.equal(disk.request.pieceCount, 0);
  assert.deepEqual(disk.lines, []);
  // The next request does not inherit the text.
  const plain = reader("(i32.const 5)");
  assert.equal(plain.submit(Command.Read), Errno.EIO);
  assert.equal(plain.request.errorText, "");
});

Deno.test("extents are taken as they come, also beyond the end of the request", () => {
  const extents = (body: string) =>
    new TestPlugin(diskWat({}, `(func (export "sb_extents") ${RANGE} ${body})`));
  const extent = (length: number | bigint, flags: number) =>
    `(call $extent ${req} (i64.const ${length}) (i32.const ${flags}))`;
  const disk = extents(`${extent(4096, 0)} ${extent(2n ** 40n + 1n, 3)} ${OK}`);
  assert.equal(disk.submit(Command.BlockStatus, { length: 8192 }), 0);
  assert.deepEqual(disk.pieces(), [
    { kind: Piece.Extent, at: 0, length: 4096, value: 0 },
    { kind: Piece.Extent, at: 256, length: 1, value: 3 },
  ]);
  const lies: [string, RegExp][] = [
    [OK, /in sb_extents: it reported no extent$/],
    [`${extent(0, 0)} ${OK}`, /extent: the length is 0$/],
    [`${extent(1, 4)} ${OK}`, /extent: unknown flags 0x4$/],
    [`${zero(0, 10)} ${OK}`, /reply_zero: it was not asked for data$/],
  ];
  for (const [body, fact] of lies) {
    const lying = extents(body);
    assert.equal(lying.submit(Command.BlockStatus), Errno.EIO);
    assert.match(lying.request.errorText, fact);
  }
});

Deno.test("when there is no memory for an answer the request fails with ENOMEM", () => {
  const disk = reader(`${data("0", "4096", 0)} ${OK}`);
  disk.request.space = { memory: disk.device.memory, take: () => 0 };
  assert.equal(disk.submit(Command.Read), Errno.ENOMEM);
  assert.match(disk.request.errorText, /^there is no memory in plugin "test" for the answer$/);
  assert.deepEqual(disk.lines, []);
});

Deno.test("a lie is logged once in a while, however often it is told", () => {
  const disk = reader(OK);
  for (let left = 1000; left > 0; left--) assert.equal(disk.submit(Command.Read), Errno.EIO);
  assert.equal(disk.lines.length, 21);
  assert.match(disk.lines[20]!, /more lines like the last one are left out for 10 s$/);
});

Deno.test("an answer that is refused leaves nothing behind for the next request", () => {
  const disk = reader(
    `(if (i64.eqz (local.get $offset)) (then ${zero(0, 10)} ${zero(20, 5)}))
     (if (i64.ne (local.get $offset) (i64.const 0)) (then ${zero(0, 4096)})) ${OK}`,
  );
  for (let round = 0; round < 3; round++) {
    assert.equal(disk.submit(Command.Read), Errno.EIO);
    assert.equal(disk.submit(Command.Read, { offset: 4096 }), 0);
    assert.equal(disk.request.pieceCount, 1);
    assert.equal(disk.request.errorText, "");
  }
});

Deno.test("a request within a call of the same plugin is refused", () => {
  const disk = reader(`${data("0", "4096", 0)} ${OK}`);
  const inner = new Request();
  let status = 0;
  const { memory } = disk.device;
  disk.request.space = {
    memory,
    take: (_request, length) => {
      inner.command = Command.Read;
      inner.lengthLow = 10;
      status = disk.opened.submit(inner);
      return memory.address + memory.allocate(length, 16);
    },
  };
  assert.equal(disk.submit(Command.Read), 0);
  assert.equal(status, Errno.EDEADLK);
});

Deno.test("an empty request is answered without asking the plugin", () => {
  const disk = reader("unreachable");
  assert.equal(disk.submit(Command.Read, { offset: DISK_BYTES, length: 0 }), 0);
  assert.equal(disk.request.pieceCount, 0);
});
