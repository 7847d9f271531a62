// SPDX-License-Identifier: MIT
// Zones: what plugins may say about them and how they may lie, what is refused before they see it, and
// filters above them (ABI 3.2).

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Piece, RequestFlag } from "../block/request.ts";
import { conditionOfZone, typeOfZone, ZoneCommand } from "../block/zones.ts";
import { Agenda } from "./agenda.ts";
import { fails, type TestOptions, TestPlugin } from "./test_device.ts";
import { filter, forward, offset, OK, req, WRITE } from "./test_filters.ts";
import { laterWat, plugin, RANGE } from "./test_plugins.ts";
import { preparePlugin } from "./prepare.ts";

const ZONE = 16384;
const COUNT = 4;
const BYTES = ZONE * COUNT;

/** Fields of the struct of sb_zones by their offsets; bigint for u64. */
type Fields = Record<number, number | bigint>;

interface Zoned extends TestOptions {
  fields?: Fields;
  /** Bodies of functions. */
  report?: string;
  append?: string;
  reset?: string;
  info?: string;
  more?: string;
  imports?: string[];
}

const fill = (fields: Fields) =>
  Object.entries(fields).map(([at, value]) => {
    const type = typeof value === "bigint" ? "i64" : "i32";
    return `(${type}.store offset=${at} (local.get 1) (${type}.const ${value}))`;
  }).join(" ");

/** A call of `zone`; numbers are bytes from the offset of the request on, but for length and capacity. */
function told(
  start: number,
  length: number,
  capacity: number,
  pointer: number,
  type: number,
  condition: number,
) {
  const from = (bytes: number) => `(i64.add ${offset} (i64.const ${bytes}))`;
  return `(call $zone ${req} ${from(start)} (i64.const ${length}) (i64.const ${capacity})
    ${from(pointer)} (i32.const ${type}) (i32.const ${condition}))`;
}

const ONE = told(0, ZONE, ZONE, 0, 2, 1);
const APPENDED = `(call $zone_appended ${req} (i64.add ${offset} (i64.const 1024)))`;

/** A disk of COUNT zones in blocks of 512 bytes. */
function zoned(
  {
    fields = {},
    report = ONE,
    append = APPENDED,
    reset = "",
    info = "",
    more = "",
    imports = [],
    ...options
  }: Zoned = {},
): TestPlugin {
  const wat = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const ${BYTES}))
     (func (export "sb_info") (param i32 i32) (result i32) ${fill({ 4: 512 })} ${info} ${OK})
     (func (export "sb_zones") (param i32 i32) (result i32)
       ${fill({ 16: BigInt(ZONE), ...fields })} ${OK})
     (func (export "sb_pread") ${RANGE}
       (call $reply_data ${req} (i64.const 0) (i32.wrap_i64 (i64.add ${offset} (i64.const 65536)))
         (local.get $count) (i32.const 1)) ${OK})
     (func (export "sb_pwrite") ${WRITE} ${OK})
     (func (export "sb_zone_report") ${RANGE} ${report} ${OK})
     (func (export "sb_zone_append") ${WRITE} ${append} ${OK})
     (func (export "sb_zone_reset") ${RANGE} ${reset} ${OK})
     ${more}`,
    ["reply_data", "zone", "zone_appended", ...imports],
  );
  return new TestPlugin(wat, { ...options, manifest: { abi: "3.2", ...options.manifest } });
}

function ask(disk: TestPlugin, command: number, from: number, length: number, bits = 0): number {
  const { memory } = disk.device;
  disk.request.payload = memory.address + memory.allocate(length, 16);
  return disk.submit(command, { offset: from, length, flags: bits });
}

Deno.test("an export is zoned where its plugin says so", () => {
  const { zones } = zoned().opened.info;
  assert.deepEqual(zones, {
    size: ZONE,
    capacity: ZONE,
    maxOpen: 0,
    maxActive: 0,
    maxAppend: ZONE,
  });
  const limited = zoned({ fields: { 4: 2, 8: 3, 12: 4096, 24: 8192n } }).opened.info;
  assert.deepEqual(limited.zones, {
    size: ZONE,
    capacity: 8192,
    maxOpen: 2,
    maxActive: 3,
    maxAppend: 4096,
  });
  const { info } = zoned({ fields: { 16: 0n } }).opened;
  assert.equal(info.zones, undefined);
});

for (
  const [fields, message] of [
    [{ 0: 40 }, /struct_size is 40; the host knows 32 bytes/],
    [{ 16: 12288n }, /zone_size is 12288; it must be a power of two, 4096 to 1099511627776, or 0/],
    [{ 16: 2048n }, /zone_size is 2048/],
    [{ 16: 131072n }, /it has 65536 bytes, which are no whole zones of 131072/],
    [{ 24: 20480n }, /zone_capacity is 20480; it must be whole blocks of 512, at most 16384/],
    [{ 24: 100n }, /zone_capacity is 100/],
    [{ 4: 3, 8: 2 }, /max_open is 3, more than max_active, 2/],
    [{ 12: 32768 }, /max_append is 32768; it must be whole blocks of 512, at most 16384/],
    [{ 12: 700 }, /max_append is 700/],
  ] as [Fields, RegExp][]
) {
  Deno.test(`a lie in sb_zones is found out: ${message.source}`, () => {
    fails(() => zoned({ fields }).opened, Errno.EIO, message);
  });
}

Deno.test("a report tells zones one after the other, as many as it likes", () => {
  const report = [
    told(0, ZONE, ZONE, 0, 1, 0),
    told(ZONE, ZONE, 8192, ZONE + 512, 2, 2),
    told(2 * ZONE, ZONE, 8192, 0, 2, 14),
  ].join("");
  const disk = zoned({ report, fields: { 24: 8192n } });
  assert.equal(ask(disk, ZoneCommand.Report, 0, BYTES), 0, disk.request.errorText);
  const zones = disk.pieces().map(({ kind, at, length, value }) => {
    return [kind, at, length, typeOfZone(value), conditionOfZone(value)];
  });
  assert.deepEqual(zones, [
    [Piece.Zone, ZONE, ZONE, 1, 0],
    [Piece.Zone, 8192, 512, 2, 2],
    // Where there is no write pointer, it is behind the zone.
    [Piece.Zone, 8192, ZONE, 2, 14],
  ]);
  assert.equal(ask(disk, ZoneCommand.Report, ZONE, ZONE), Errno.EIO, "three are too many for one");
});

for (
  const [report, message] of [
    ["", /it reported no zone/],
    [told(ZONE, ZONE, ZONE, ZONE, 2, 1), /zone: one at 32768, where the next one begins at 16384/],
    [ONE + ONE, /zone: one at 16384, where the next one begins at 32768/],
    [told(0, 8192, 8192, 0, 2, 1), /zone: a length of 8192; all have 16384/],
    [told(0, ZONE, 0, 0, 2, 1), /a zone has the capacity 0/],
    [told(0, ZONE, 2 * ZONE, 0, 2, 1), /a zone has the capacity 32768/],
    [told(0, ZONE, 700, 0, 2, 1), /a zone has the capacity 700/],
    [told(0, ZONE, ZONE, 0, 0, 1), /0 is no type of a zone; they are 1 to 3/],
    [told(0, ZONE, ZONE, 0, 4, 1), /4 is no type of a zone/],
    [told(0, ZONE, ZONE, 0, 2, 5), /5 is no condition of a zone/],
    [told(0, ZONE, ZONE, 0, 2, 0), /a zone of the type 2 has the condition 0/],
    [told(0, ZONE, ZONE, 0, 1, 1), /a zone of the type 1 has the condition 1/],
    [told(0, ZONE, ZONE, 512, 2, 1), /an empty zone has its write pointer at 16896, not at/],
    [
      told(0, ZONE, ZONE, 100, 2, 2),
      /the write pointer 16484 is not in the zone, or not at a block/,
    ],
    [told(0, ZONE, ZONE, -512, 2, 2), /the write pointer 15872 is not in the zone/],
    [told(0, ZONE, ZONE, 2 * ZONE, 2, 3), /the write pointer 49152 is not in the zone/],
    [told(0, ZONE, 8192, 8192, 2, 2), /the write pointer is at the end of a zone that is not full/],
    [told(0, ZONE, ZONE, 0, 2, 4), /a closed zone has nothing written to it/],
    [`(call $zone_appended ${req} ${offset})`, /zone_appended: it was not asked to append/],
  ] as [string, RegExp][]
) {
  Deno.test(`a lie in a report is found out: ${message.source}`, () => {
    const disk = zoned({ report });
    assert.equal(ask(disk, ZoneCommand.Report, ZONE, 3 * ZONE), Errno.EIO);
    assert.match(disk.request.errorText, message);
    assert.equal(disk.pieces().length, 0);
  });
}

Deno.test("an append says where it has written", () => {
  const disk = zoned();
  assert.equal(ask(disk, ZoneCommand.Append, ZONE, 512), 0, disk.request.errorText);
  const place = { kind: Piece.Place, at: 0, length: 0, value: ZONE + 1024 };
  assert.deepEqual(disk.pieces(), [place]);
});

for (
  const [append, message] of [
    ["", /it did not say where it appended/],
    [APPENDED + APPENDED, /zone_appended: it has said that already/],
    [`(call $zone_appended ${req} (i64.const 0))`, /512 bytes at 0 are not in the zone at 16384/],
    [`(call $zone_appended ${req} (i64.const 32767))`, /512 bytes at 32767 are not in the zone/],
    [`(call $zone_appended ${req} (i64.const 16484))`, /512 bytes at 16484 are not in the zone/],
    [ONE, /zone: it was not asked for zones/],
  ] as [string, RegExp][]
) {
  Deno.test(`a lie about an append is found out: ${message.source}`, () => {
    const disk = zoned({ append });
    assert.equal(ask(disk, ZoneCommand.Append, ZONE, 512), Errno.EIO);
    assert.match(disk.request.errorText, message);
  });
}

Deno.test("requests about zones come whole, or not at all", () => {
  const disk = zoned({ fields: { 12: 1024 } });
  const refused = (command: number, from: number, length: number, message: RegExp) => {
    assert.equal(ask(disk, command, from, length), Errno.EINVAL);
    assert.match(disk.request.errorText, message);
  };
  refused(ZoneCommand.Report, 512, ZONE, /^there begins no zone, for 16384 bytes at 512$/);
  refused(ZoneCommand.Report, 0, 512, /these are no whole zones/);
  refused(ZoneCommand.Report, ZONE, BYTES, /that is not in the export/);
  refused(ZoneCommand.Append, 512, 512, /there begins no zone/);
  refused(ZoneCommand.Append, BYTES, 512, /that is not in the export/);
  refused(ZoneCommand.Append, 0, 2048, /an append has at most 1024 bytes/);
  refused(ZoneCommand.Append, 0, 100, /an append has whole blocks/);
  refused(ZoneCommand.Reset, 0, 2 * ZONE, /that is not one zone/);
  assert.equal(ask(disk, ZoneCommand.Reset, 0, ZONE), 0);
  assert.equal(ask(disk, ZoneCommand.Reset, 0, BYTES), 0);
  assert.equal(ask(disk, ZoneCommand.Open, 0, ZONE), Errno.EOPNOTSUPP);
  assert.equal(disk.request.errorText, "the export has no open of zones");
  const plain = zoned({ fields: { 16: 0n } });
  assert.equal(ask(plain, ZoneCommand.Report, 0, ZONE), Errno.EINVAL);
  assert.equal(plain.request.errorText, "unknown command 16");
});

Deno.test("an export that is opened read-only reports its zones and does not change them", () => {
  const { device, request } = zoned();
  const opened = device.open("", { readOnly: true, peer: "test" });
  request.command = ZoneCommand.Report;
  request.lengthLow = BYTES;
  assert.equal(opened.submit(request), 0);
  for (const command of [ZoneCommand.Append, ZoneCommand.Reset]) {
    request.command = command;
    assert.equal(opened.submit(request), Errno.EPERM);
  }
});

Deno.test("an append may be finished later, and is flushed where it has to be durable", () => {
  const agenda = new Agenda();
  const disk = zoned({
    append: `(drop (call $timer (i64.const 0) ${req})) (return (i32.const -1))`,
    more: `(func (export "sb_done") (param i32 i32)
        (call $zone_appended (local.get 0) (i64.const ${ZONE}))
        (call $complete (local.get 0) ${OK}))
      (func (export "sb_flush") (param i32 i32 i32) (result i32)
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) ${OK})`,
    imports: ["timer", "complete"],
    agenda,
  });
  const flushes = () => disk.device.memory.view.getUint32(8, true);
  for (const bits of [0, RequestFlag.Fua]) {
    assert.equal(ask(disk, ZoneCommand.Append, ZONE, 512, bits), -1);
    for (let i = 0; i < 10 && agenda.nextMs !== Infinity; i++) agenda.run(performance.now());
    assert.deepEqual(disk.ended.splice(0), [0]);
    assert.deepEqual(disk.pieces().map(({ kind, value }) => [kind, value]), [[Piece.Place, ZONE]]);
    assert.equal(flushes(), bits === 0 ? 0 : 1);
  }
});

const PASS = { abi: "3.2", zones: "pass" };
const FORWARD = forward("sb_pread", offset) + forward("sb_pwrite", offset, WRITE);

Deno.test("a filter stands on a zoned device only if it passes zones on", () => {
  const above = (functions: string, manifest: Record<string, unknown>) =>
    filter(functions, { below: [zoned()], manifest });
  fails(
    () => above(FORWARD, {}).opened,
    Errno.EINVAL,
    /cannot use the filter "test" above a zoned device: it does not pass zones on/,
  );
  const passing = above(FORWARD, PASS);
  assert.equal(passing.opened.info.zones?.size, ZONE);
  assert.equal(ask(passing, ZoneCommand.Append, ZONE, 512), 0, passing.request.errorText);
  assert.equal(passing.pieces()[0]!.value, ZONE + 1024);
  assert.equal(ask(passing, ZoneCommand.Report, 0, ZONE), 0);
  assert.equal(ask(passing, Command.Read, 0, 512), 0);
  assert.equal(ask(passing, ZoneCommand.Append, 5, 512), Errno.EINVAL);
  const shorter =
    `${FORWARD} (func (export "sb_size") (param i32) (result i64) (i64.const ${ZONE}))`;
  fails(
    () => above(shorter, PASS).opened,
    Errno.EINVAL,
    /another size or smallest block than that/,
  );
  // Above a device without zones, that it would pass them on means nothing.
  assert.equal(filter(FORWARD, { manifest: PASS }).opened.info.zones, undefined);
});

Deno.test("what goes past a filter must not be changed by it", () => {
  const refused = (manifest: Record<string, unknown>, message: RegExp) => {
    assert.throws(() => filter(FORWARD, { below: [], manifest }), { name: "PluginError", message });
  };
  refused({ abi: "3.1", zones: "pass" }, /^its manifest has the unknown key "zones"/);
  refused({ ...PASS, zones: "keep" }, /"zones": it must be "refuse" or "pass"$/);
  refused({ ...PASS, children: { maximum: 2 } }, /"zones": it has several children$/);
  refused({ ...PASS, calls: { pwrite: "transform" } }, /"calls" says that it transforms pwrite$/);
  refused({ ...PASS, next_read_only: true }, /"zones": its child is opened read-only$/);
  refused({ ...PASS, threads: "blocking" }, /"zones": its calls wait \("blocking"\)$/);
  refused(
    { abi: "3.2", kind: "plugin", zones: "pass" },
    /"zones": only a filter has something below/,
  );
});

Deno.test("functions about zones are checked when a module is loaded", () => {
  const refused = (functions: string, manifest: Record<string, unknown>, message: RegExp) => {
    const bytes = plugin(laterWat(functions, []), { abi: "3.2", ...manifest });
    assert.throws(() => preparePlugin(bytes), { name: "PluginError", message });
  };
  const base = `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const ${BYTES}))
     (func (export "sb_pread") ${RANGE} ${OK})`;
  const report = `(func (export "sb_zone_report") ${RANGE} ${OK})`;
  refused(base + report, {}, /"sb_zones", which it needs because it exports "sb_zone_report"$/);
  refused(base + report, { abi: "3.1" }, /"sb_zone_report" of ABI 3.2, but its manifest says 3.1$/);
  refused(report, { kind: "filter" }, /"sb_zone_report", which a filter may not$/);
  const blocking = { threads: "blocking" };
  refused(base + report, blocking, /which a plugin with "threads": "blocking" may not$/);
});
