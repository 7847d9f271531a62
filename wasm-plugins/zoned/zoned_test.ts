// SPDX-License-Identifier: MIT
// The zoned plugin: its rules one by one, and at random against a model of zones.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Refused, type TestClient } from "../../core/backend/testing.ts";
import { Piece } from "../../core/block/request.ts";
import {
  conditionOfZone,
  typeOfZone,
  ZoneCommand,
  ZoneCondition,
  ZoneType,
} from "../../core/block/zones.ts";
import { BoundDirectory } from "../../core/reactor/bound_directory.ts";
import { UnzonedDirectory } from "../../core/reactor/unzoned_directory.ts";
import { client, fill, node, start, useNodes } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

const KIB = 1024;
const ZONE = 64 * KIB;
const BLOCK = 4096;
const { Empty, ImplicitlyOpen, ExplicitlyOpen, Closed, Full } = ZoneCondition;
const EIO = 5;
const EOVERFLOW = 75;
const ETOOMANYREFS = 109;
await useNodes("zoned", "delay", "cow", "rate", "stats");

/** A disk with the commands that only zoned ones have. */
class ZonedDisk {
  readonly #zoneSize: number;

  constructor(readonly disk: TestClient) {
    this.#zoneSize = disk.opened.info.zones!.size;
  }

  static open(more = "", size = "1M"): ZonedDisk {
    return new ZonedDisk(client(node(`zoned ${size} zone-size=64K ${more}`.trim())));
  }

  manage(command: number, zone: number, count = 1): void {
    const length = BigInt(count * this.#zoneSize);
    const request = this.disk.request(command, zone * this.#zoneSize, length, 0);
    const errno = this.disk.opened.submit(request);
    if (errno !== 0) throw new Refused(errno, request.errorText);
  }

  /** Appends; returns where. */
  append(zone: number, data: Uint8Array): number {
    const request = this.disk.writeRequest(zone * this.#zoneSize, data, 0);
    request.command = ZoneCommand.Append;
    const errno = this.disk.opened.submit(request);
    this.disk.giveBack();
    if (errno !== 0) throw new Refused(errno, request.errorText);
    assert.equal(request.pieceKind(0), Piece.Place);
    return request.pieceValue(0);
  }

  /** Condition and bytes written of `count` zones from `first` on. */
  report(first: number, count: number): [condition: number, written: number][] {
    const length = BigInt(count * this.#zoneSize);
    const request = this.disk.request(ZoneCommand.Report, first * this.#zoneSize, length, 0);
    assert.equal(this.disk.opened.submit(request), 0, request.errorText);
    assert.equal(request.pieceCount, count);
    return Array.from({ length: count }, (_, i) => {
      return [conditionOfZone(request.pieceValue(i)), request.pieceLength(i)];
    });
  }

  close(): void {
    this.disk.close();
  }
}

function refused(run: () => void, errno: number, text: RegExp): void {
  assert.throws(run, (error) => {
    assert(error instanceof Refused, String(error));
    assert.equal(error.errno, errno);
    assert.match(error.text, text);
    return true;
  });
}

Deno.test("zoned: a zone is written from its write pointer on, and nowhere else", () => {
  const zoned = ZonedDisk.open();
  const { disk } = zoned;
  disk.write(ZONE, fill(8192, 1));
  disk.write(ZONE + 8192, fill(4096, 2));
  refused(() => disk.write(ZONE, fill(4096, 3)), EIO, /cannot write at 65536: .* at 77824/);
  refused(() => disk.write(ZONE + 16384, fill(4096, 3)), EIO, /is to be written at 77824/);
  refused(() => disk.write(2 * ZONE - 4096, fill(8192, 3)), EIO, /across the border of a zone/);
  assertSameBytes(disk.read(ZONE, 8192), fill(8192, 1));
  assertSameBytes(disk.read(ZONE + 8192, 8192).subarray(4096), new Uint8Array(4096));
  assert.deepEqual(zoned.report(0, 3), [[Empty, 0], [ImplicitlyOpen, 12288], [Empty, 0]]);
  assert.equal(zoned.append(1, fill(4096, 4)), ZONE + 12288);
  assertSameBytes(disk.read(ZONE + 12288, 4096), fill(4096, 4));
  disk.write(ZONE + 16384, fill(ZONE - 16384, 5));
  assert.deepEqual(zoned.report(1, 1), [[Full, ZONE]]);
  refused(() => zoned.append(1, fill(4096, 6)), EIO, /a zone that is full/);
  zoned.manage(ZoneCommand.Reset, 1);
  assert.deepEqual(zoned.report(1, 1), [[Empty, 0]]);
  assertSameBytes(disk.read(ZONE, ZONE), new Uint8Array(ZONE));
  disk.write(ZONE, fill(4096, 7));
  zoned.close();
});

Deno.test("zoned: a zone takes as much as its capacity, and what was appended has to fit", () => {
  const zoned = ZonedDisk.open("zone-capacity=12K");
  const { disk } = zoned;
  disk.write(0, fill(8192, 1));
  refused(() => zoned.append(0, fill(8192, 2)), EIO, /cannot write more to a zone than it takes/);
  zoned.append(0, fill(4096, 2));
  assert.deepEqual(zoned.report(0, 2), [[Full, ZONE], [Empty, 0]]);
  assertSameBytes(disk.read(8192, 8192).subarray(4096), new Uint8Array(4096));
  zoned.close();
});

Deno.test("zoned: zones are opened, closed, finished and reset", () => {
  const zoned = ZonedDisk.open();
  zoned.manage(ZoneCommand.Open, 0);
  assert.deepEqual(zoned.report(0, 1), [[ExplicitlyOpen, 0]]);
  zoned.manage(ZoneCommand.Close, 0);
  assert.deepEqual(zoned.report(0, 1), [[Empty, 0]], "nothing was written to it");
  refused(() => zoned.manage(ZoneCommand.Close, 0), EIO, /close a zone that is not open/);
  zoned.disk.write(0, fill(4096, 1));
  zoned.manage(ZoneCommand.Close, 0);
  zoned.manage(ZoneCommand.Close, 0);
  assert.deepEqual(zoned.report(0, 1), [[Closed, 4096]]);
  zoned.manage(ZoneCommand.Finish, 0);
  assert.deepEqual(zoned.report(0, 1), [[Full, ZONE]]);
  refused(() => zoned.manage(ZoneCommand.Open, 0), EIO, /open a zone that is full/);
  assertSameBytes(zoned.disk.read(0, 8192).subarray(4096), new Uint8Array(4096));
  zoned.disk.write(5 * ZONE, fill(4096, 1));
  zoned.manage(ZoneCommand.Reset, 0, 16);
  assert.deepEqual(zoned.report(0, 16), new Array(16).fill([Empty, 0]));
  assertSameBytes(zoned.disk.read(5 * ZONE, 4096), new Uint8Array(4096));
  zoned.close();
});

Deno.test("zoned: conventional zones come first and are written anywhere", () => {
  const zoned = ZonedDisk.open("conventional=2");
  const { disk } = zoned;
  disk.write(2 * ZONE - 4096, fill(4096, 1));
  disk.write(ZONE - 4096, fill(8192, 2));
  assertSameBytes(disk.read(ZONE - 4096, 8192), fill(8192, 2));
  refused(() => disk.write(2 * ZONE - 4096, fill(8192, 3)), EIO, /across the border/);
  const request = disk.request(ZoneCommand.Report, 0, BigInt(3 * ZONE), 0);
  assert.equal(disk.opened.submit(request), 0);
  const types = [0, 1, 2].map((i) => typeOfZone(request.pieceValue(i)));
  assert.deepEqual(types, [ZoneType.Conventional, ZoneType.Conventional, ZoneType.Sequential]);
  refused(() => zoned.append(0, fill(4096, 4)), EIO, /append to a conventional zone/);
  for (const command of ["Open", "Close", "Finish", "Reset"] as const) {
    refused(() => zoned.manage(ZoneCommand[command], 1), EIO, /to a conventional zone/);
  }
  disk.write(2 * ZONE, fill(4096, 5));
  zoned.manage(ZoneCommand.Reset, 0, 16);
  assertSameBytes(disk.read(ZONE - 4096, 8192), fill(8192, 2));
  assert.deepEqual(zoned.report(2, 1), [[Empty, 0]]);
  zoned.close();
});

Deno.test("zoned: open and active zones are limited", () => {
  const zoned = ZonedDisk.open("max-open=2 max-active=3");
  const { disk } = zoned;
  for (const zone of [0, 1, 2]) disk.write(zone * ZONE, fill(4096, zone));
  const conditions = () => zoned.report(0, 4).map(([condition]) => condition);
  assert.deepEqual(conditions(), [Closed, ImplicitlyOpen, ImplicitlyOpen, Empty]);
  refused(() => disk.write(3 * ZONE, fill(4096, 3)), EOVERFLOW, /3 are active/);
  refused(() => zoned.manage(ZoneCommand.Open, 3), EOVERFLOW, /3 are active/);
  disk.write(4096, fill(4096, 4));
  assert.deepEqual(conditions(), [ImplicitlyOpen, Closed, ImplicitlyOpen, Empty]);
  zoned.manage(ZoneCommand.Open, 0);
  zoned.manage(ZoneCommand.Open, 2);
  refused(() => disk.write(ZONE + 4096, fill(4096, 5)), ETOOMANYREFS, /2 are open/);
  zoned.manage(ZoneCommand.Finish, 2);
  disk.write(ZONE + 4096, fill(4096, 5));
  disk.write(3 * ZONE, fill(4096, 6));
  assert.deepEqual(conditions(), [ExplicitlyOpen, Closed, Full, ImplicitlyOpen]);
  zoned.close();
});

Deno.test("zoned: parameters that do not go together are refused in a sentence", () => {
  const refuses = (line: string, text: RegExp) =>
    assert.throws(() => client(node(`zoned ${line}`)), text);
  refuses("1M zone-size=96K", /cannot use zone-size=98304: it is no power of two/);
  refuses("1000000", /cannot use size=1000000: it is no whole number of zones/);
  refuses("0", /cannot use size=0/);
  refuses("1M zone-size=64K zone-capacity=128K", /cannot use zone-capacity=131072: it is more/);
  refuses("1M zone-size=64K zone-capacity=5000", /cannot use zone-capacity=5000/);
  refuses("1M zone-size=64K conventional=17", /cannot use conventional=17: the disk has less/);
  refuses("1M zone-size=64K max-open=3 max-active=2", /cannot use max-open=3: it is more than/);
  refuses("1M zone-size=64K max-append=128K", /cannot use max-append=131072: it is more than/);
  refuses("1M zone-size=64K block-size=1K", /cannot use block-size=1024: it is 512 or 4096/);
  refuses("1T zone-size=64K", /more than 1048576 zones/);
});

/** Something to do to a zone. */
interface Step {
  action: "write" | "append" | "open" | "close" | "finish" | "reset";
  zone: number;
  blocks: number;
}

const ZONES = 6;
const CAPACITY = 40 * KIB;

/** What zones must hold, in the simplest words. */
class Model {
  readonly held = Array.from({ length: ZONES }, () => new Uint8Array(0));
  readonly full = new Array<boolean>(ZONES).fill(false);

  /** Whether a write succeeds. */
  write(zone: number, data: Uint8Array): boolean {
    const before = this.held[zone]!;
    if (this.full[zone] || before.length + data.length > CAPACITY) return false;
    const after = new Uint8Array(before.length + data.length);
    after.set(before);
    after.set(data, before.length);
    this.held[zone] = after;
    this.full[zone] = after.length === CAPACITY;
    return true;
  }
}

function apply(zoned: ZonedDisk, model: Model, { action, zone, blocks }: Step, seed: number): void {
  const data = fill(blocks * BLOCK, seed);
  const at = zone * ZONE + model.held[zone]!.length;
  const attempt = (run: () => void) => {
    try {
      run();
      return true;
    } catch (error) {
      assert(error instanceof Refused && error.errno === EIO, String(error));
      return false;
    }
  };
  if (action === "append") {
    const fits = attempt(() => assert.equal(zoned.append(zone, data), at));
    assert.equal(fits, model.write(zone, data), "an append succeeds where it fits");
  } else if (action === "write") {
    const fits = attempt(() => zoned.disk.write(at, data));
    assert.equal(fits, model.write(zone, data), "a write succeeds where it fits");
  } else if (action === "reset") {
    zoned.manage(ZoneCommand.Reset, zone);
    model.held[zone] = new Uint8Array(0);
    model.full[zone] = false;
  } else if (action === "finish") {
    zoned.manage(ZoneCommand.Finish, zone);
    model.full[zone] = true;
  } else {
    attempt(() => zoned.manage(action === "open" ? ZoneCommand.Open : ZoneCommand.Close, zone));
  }
}

Deno.test("zoned: whatever is done to zones, they hold what they must", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    action: fc.constantFrom(
      "write",
      "write",
      "append",
      "append",
      "open",
      "close",
      "finish",
      "reset",
    ),
    zone: fc.nat(ZONES - 1),
    blocks: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const zoned = ZonedDisk.open("zone-capacity=40K", `${ZONES * ZONE}`);
      const model = new Model();
      steps.forEach((one, index) => apply(zoned, model, one, index));
      for (const [zone, [condition, written]] of zoned.report(0, ZONES).entries()) {
        const held = model.held[zone]!;
        assert.equal(condition === Full, model.full[zone]);
        if (condition !== Full) assert.equal(written, held.length);
        const bytes = zoned.disk.read(zone * ZONE, ZONE);
        assertSameBytes(bytes.subarray(0, held.length), held);
        assertSameBytes(bytes.subarray(held.length), new Uint8Array(ZONE - held.length));
      }
      zoned.close();
    }),
    { numRuns: 60 },
  );
});

Deno.test("zoned: filters that only look or wait pass zones on, others are refused", () => {
  for (const line of ["delay wdelay=1us", "stats", "rate rate=1G"]) {
    const zoned = new ZonedDisk(client(node(line, node("zoned 1M zone-size=64K"))));
    zoned.disk.write(0, fill(4096, 1));
    assert.equal(zoned.append(0, fill(4096, 2)), 4096);
    assertSameBytes(zoned.disk.read(4096, 4096), fill(4096, 2));
    assert.deepEqual(zoned.report(0, 1), [[ImplicitlyOpen, 8192]]);
    zoned.close();
  }
  assert.throws(
    () => client(node("cow", node("zoned 1M zone-size=64K"))),
    /cannot use the filter "cow" above a zoned device: it does not pass zones on/,
  );
});

Deno.test("zoned: a client of NBD may read it, and is told why it may not write", () => {
  for (const readOnly of [true, false]) {
    const device = start(node("zoned 1M zone-size=64K"));
    const binding = { readOnly, peer: "test", alias: "disk" };
    const directory = new UnzonedDirectory(new BoundDirectory(device, binding));
    assert.equal(directory.defaultExport(), "disk");
    if (readOnly) directory.open("disk").close();
    else {
      const message = /cannot serve the export "disk" over NBD for writing: it is zoned/;
      assert.throws(() => directory.open("disk"), message);
    }
    device.close();
  }
});
