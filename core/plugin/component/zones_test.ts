// SPDX-License-Identifier: MIT
// Components with zones (ABI 3.2).

import assert from "node:assert/strict";
import { Errno } from "../../block/errno.ts";
import { Piece } from "../../block/request.ts";
import { conditionOfZone, typeOfZone, ZoneCommand } from "../../block/zones.ts";
import { fails, TestPlugin } from "../test_device.ts";
import {
  CALLS,
  type ChangeWit,
  component,
  componentWat,
  failureWat,
  IMPLEMENTED,
} from "./test_component.ts";

const ZONE = 16384;
const DROP = "(call $drop (local.get $request))";
const DONE = `${DROP} (global.get $ok)`;
const AT_512 = "(i64.add (local.get $offset) (i64.const 512))";

/** Stores `zones` as the result of its function. */
function zonesWat(size: number): string {
  const fields = [
    ["i32.store8", 1600, 0],
    ["i32.store8", 1608, 1],
    ["i32.store", 1616, 2],
    ["i32.store", 1620, 3],
    ["i32.store", 1624, 4096],
    ["i64.store", 1632, size],
    ["i64.store", 1640, 8192],
  ] as const;
  const stores = fields.map(([store, at, value]) => {
    return `(${store} (i32.const ${at}) (${store.slice(0, 3)}.const ${value}))`;
  });
  return `${stores.join(" ")} (i32.const 1600)`;
}

/** A zone of the type `type` and the condition `condition` by their places in the enums. */
function toldWat(type: number, condition: number): string {
  return `(call $zone (local.get $request) (local.get $offset) (i64.const ${ZONE}) (i64.const 8192)
    ${AT_512} (i32.const ${type}) (i32.const ${condition}))`;
}

function zoned(replaced: Record<string, string> = {}, change?: ChangeWit): TestPlugin {
  const calls = CALLS.zones | CALLS.zoneReport | CALLS.zoneAppend | CALLS.zoneOpen |
    CALLS.zoneReset;
  const wat = componentWat({
    implemented: `(i32.const ${IMPLEMENTED | calls})`,
    zones: zonesWat(ZONE),
    zoneReport: `${toldWat(1, 2)} ${DONE}`,
    zoneAppend: `(if (i32.ne (local.get $length) (i32.const 8)) (then (unreachable)))
      (i64.store (i32.add (global.get $disk) (i32.wrap_i64 ${AT_512}))
        (i64.load (local.get $data)))
      (call $zone_appended (local.get $request) ${AT_512}) ${DONE}`,
    zoneOpen: `${DROP} ${failureWat(Errno.EBUSY)}`,
    zoneReset: `(memory.fill (i32.add (global.get $disk) (i32.wrap_i64 (local.get $offset)))
      (i32.const 0) (i32.wrap_i64 (local.get $count))) ${DONE}`,
    ...replaced,
  });
  return new TestPlugin(component(wat, {}, change));
}

function ask(disk: TestPlugin, command: number, offset: number, length: number): number {
  const { memory } = disk.device;
  const pointer = memory.allocate(length, 16);
  memory.bytes.fill(7, pointer, pointer + length);
  disk.request.payload = memory.address + pointer;
  return disk.submit(command, { offset, length });
}

Deno.test("an export of a component is zoned where that says so", () => {
  assert.deepEqual(zoned().opened.info.zones, {
    size: ZONE,
    capacity: 8192,
    maxOpen: 2,
    maxActive: 3,
    maxAppend: 4096,
  });
  const none = "(i32.store8 (i32.const 1600) (i32.const 0)) (i32.const 1600)";
  assert.equal(zoned({ zones: none }).opened.info.zones, undefined);
  fails(() => zoned({ zones: zonesWat(12288) }).opened, Errno.EIO, /zone_size is 12288/);
});

Deno.test("a component reports, appends to and resets zones", () => {
  const disk = zoned();
  assert.equal(ask(disk, ZoneCommand.Report, ZONE, ZONE), 0, disk.request.errorText);
  const pieces = disk.pieces().map(({ kind, at, length, value }) => {
    return [kind, at, length, typeOfZone(value), conditionOfZone(value)];
  });
  assert.deepEqual(pieces, [[Piece.Zone, 8192, 512, 2, 2]]);
  assert.equal(ask(disk, ZoneCommand.Append, ZONE, 8), 0, disk.request.errorText);
  assert.deepEqual(disk.pieces(), [{ kind: Piece.Place, at: 0, length: 0, value: ZONE + 512 }]);
  assert.deepEqual([...disk.read(ZONE + 511, 3)], [0, 7, 7]);
  assert.equal(ask(disk, ZoneCommand.Reset, ZONE, ZONE), 0);
  assert.deepEqual([...disk.read(ZONE + 511, 3)], [0, 0, 0]);
  assert.equal(ask(disk, ZoneCommand.Open, 0, ZONE), Errno.EBUSY);
  assert.equal(ask(disk, ZoneCommand.Finish, 0, ZONE), Errno.EOPNOTSUPP);
  assert.deepEqual(disk.lines, []);
});

Deno.test("types and conditions of zones are those of Linux", () => {
  const told = (type: number, condition: number) => {
    const disk = zoned({ zoneReport: `${toldWat(type, condition)} ${DONE}` });
    assert.equal(ask(disk, ZoneCommand.Report, 0, ZONE), 0, disk.request.errorText);
    const { value } = disk.pieces()[0]!;
    return [typeOfZone(value), conditionOfZone(value)];
  };
  assert.deepEqual(told(0, 0), [1, 0]);
  assert.deepEqual(told(2, 7), [3, 15]);
  assert.deepEqual(told(1, 5), [2, 13]);
});

Deno.test("a lie of a component about zones is found out", () => {
  const disk = zoned({ zoneReport: `${toldWat(1, 1)} ${DONE}` });
  assert.equal(ask(disk, ZoneCommand.Report, 0, ZONE), Errno.EIO);
  assert.match(disk.request.errorText, /an empty zone has its write pointer at 512/);
});

Deno.test("a zone is of no type that only the component knows", () => {
  for (const word of ["other", "constructor"]) {
    const disk = zoned({ zoneReport: `${toldWat(3, 2)} ${DONE}` }, (wit) => {
      return wit.replace("    sequential-preferred,\n", `$&    %${word},\n`);
    });
    assert.equal(ask(disk, ZoneCommand.Report, 0, ZONE), Errno.EIO);
    assert.match(disk.request.errorText, /0 is no type of a zone/);
  }
});
