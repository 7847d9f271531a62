// SPDX-License-Identifier: MIT
// Zones: reports are true, sequential zones take writes in order and no others, and can be reset.

import { Buffer } from "node:buffer";
import type { OpenExport } from "../../block/device.ts";
import { Support } from "../../block/export.ts";
import { Command, RequestFlag } from "../../block/request.ts";
import { toNumber } from "../../block/uint64.ts";
import { ZoneCommand, ZoneCondition, type ZoneInfo, ZoneType } from "../../block/zones.ts";
import { type Check, Fault, inWords, type Kit, Skipped } from "../kit.ts";
import type { Operation, Outcome } from "../operation.ts";
import type { Session } from "../session.ts";

/** Zones that are written to. */
const TRIED = 4;
/** Blocks of the writes to one zone. */
const BLOCKS = [1, 3, 2];
/** Bytes of a zone that is small enough to be filled. */
const FILLED_BYTES_MAX = 32 * 1024 * 1024;

type Zone = Outcome["zones"][number];

export const zones: Check = {
  name: "zones",
  title: "zones are reported as they are, take writes in order only, and can be reset",
  async run(kit) {
    const session = kit.start();
    const opened = session.open();
    if (opened.info.zones === undefined) throw new Skipped("it has no zones");
    const disk = new ZonedDisk(kit, session, opened, opened.info.zones);
    const all = await disk.report(0, disk.count);
    const last = await disk.report(disk.count - 1, 1);
    if (last[0]!.condition !== all.at(-1)!.condition) {
      throw new Fault("the last zone is told in another way when it is asked for by itself");
    }
    if (opened.info.can.write === Support.None) return;
    const sequential = all.flatMap(({ type }, zone) => type === ZoneType.Sequential ? [zone] : []);
    for (const zone of sequential.slice(0, TRIED)) await tryZone(disk, zone);
    const { size } = disk.zones;
    await disk.must({ command: ZoneCommand.Reset, offset: 0n, length: size * disk.count });
    for (const [zone, { type, condition }] of (await disk.report(0, disk.count)).entries()) {
      if (type !== ZoneType.Sequential || condition === ZoneCondition.Empty) continue;
      throw new Fault(`zone ${zone} has the condition ${condition} after a reset of all`);
    }
  },
};

/** The export with what is asked of it again and again. */
class ZonedDisk {
  readonly count: number;
  readonly block: number;

  constructor(
    readonly kit: Kit,
    readonly session: Session,
    readonly opened: OpenExport,
    readonly zones: ZoneInfo,
  ) {
    const { sizeHigh, sizeLow, blockSize } = opened.info;
    this.count = toNumber(sizeHigh, sizeLow) / zones.size;
    this.block = blockSize.minimum;
  }

  /** `bytes` into a zone. */
  at(zone: number, bytes = 0): bigint {
    return BigInt(zone) * BigInt(this.zones.size) + BigInt(bytes);
  }

  must(operation: Operation): Promise<Outcome> {
    return this.kit.must(this.session, this.opened, operation);
  }

  /** It must fail, and break no rule. */
  async refuse(operation: Operation, why: string): Promise<void> {
    const { errno } = await this.kit.may(this.session, this.opened, operation);
    if (errno === 0) throw new Fault(`${inWords(operation)} succeeds, ${why}`);
  }

  manage(command: number, zone: number): Operation {
    return { command, offset: this.at(zone), length: this.zones.size };
  }

  /** Zones from one on, however many answers that takes. */
  async report(first: number, count: number): Promise<Zone[]> {
    const found: Zone[] = [];
    while (found.length < count) {
      const length = (count - found.length) * this.zones.size;
      const offset = this.at(first + found.length);
      const { zones: told } = await this.must({ command: ZoneCommand.Report, offset, length });
      found.push(...told);
    }
    return found;
  }

  /** Compares what a zone holds from its start on, and that there are zeroes behind it. */
  async verify(zone: number, expected: Uint8Array, after: string): Promise<void> {
    const length = Math.min(this.zones.size, expected.length + this.block);
    const { bytes } = await this.must({ command: Command.Read, offset: this.at(zone), length });
    const at = bytes.findIndex((byte, index) => byte !== (expected[index] ?? 0));
    if (at >= 0) throw new Fault(`after ${after}, byte ${at} of zone ${zone} is wrong`);
  }

  /** The zone must be in that condition, with so much written to it. */
  async expect(zone: number, conditions: number[], written: number, after: string): Promise<void> {
    const [is] = await this.report(zone, 1);
    if (!conditions.includes(is!.condition)) {
      throw new Fault(`after ${after}, zone ${zone} has the condition ${is!.condition}`);
    }
    if (is!.condition === ZoneCondition.Full || is!.written === written) return;
    throw new Fault(
      `after ${after}, the write pointer of zone ${zone} is ${is!.written} bytes in it`,
    );
  }
}

/** Whether requests beyond write, append and reset are there to be checked. */
function has(disk: ZonedDisk, name: string): boolean {
  return disk.kit.subject.prepared.exports.includes(name);
}

async function tryZone(disk: ZonedDisk, zone: number): Promise<void> {
  const { block, kit } = disk;
  const { Empty, ImplicitlyOpen, ExplicitlyOpen, Closed, Full } = ZoneCondition;
  await disk.must(disk.manage(ZoneCommand.Reset, zone));
  await disk.expect(zone, [Empty], 0, "a reset");
  const [{ capacity }] = await disk.report(zone, 1) as [Zone];
  const behind = kit.random.bytes(block);
  if (capacity > block) {
    const gap = { command: Command.Write, offset: disk.at(zone, block), bytes: behind };
    await disk.refuse(gap, "which leaves a gap in a sequential zone");
  }
  const held: Uint8Array[] = [];
  let written = 0;
  const fua = disk.opened.info.can.fua === Support.None ? 0 : RequestFlag.Fua;
  for (const [index, blocks] of BLOCKS.entries()) {
    const bytes = kit.random.bytes(Math.min(blocks * block, disk.zones.maxAppend));
    if (written + bytes.length > capacity) break;
    const appends = index === 1;
    const command = appends ? ZoneCommand.Append : Command.Write;
    const offset = disk.at(zone, appends ? 0 : written);
    const outcome = await disk.must({ command, offset, bytes, flags: index === 2 ? fua : 0 });
    if (appends && outcome.place !== Number(disk.at(zone, written))) {
      throw new Fault(`an append says that it has written at ${outcome.place}`);
    }
    held.push(bytes);
    written += bytes.length;
    await disk.expect(zone, [ImplicitlyOpen, Full], written, "a write");
  }
  await disk.verify(zone, Buffer.concat(held), "writes in order");
  if (written < capacity) {
    const again = { command: Command.Write, offset: disk.at(zone), bytes: behind };
    await disk.refuse(again, "to what is written already");
    await openAndClose(disk, zone, written, [ExplicitlyOpen, Closed]);
  }
  if (written === capacity || await fill(disk, zone, written, capacity)) {
    const more = { command: ZoneCommand.Append, offset: disk.at(zone), bytes: behind };
    await disk.refuse(more, "though the zone is full");
  }
  await disk.must(disk.manage(ZoneCommand.Reset, zone));
  await disk.verify(zone, new Uint8Array(0), "a reset");
}

async function openAndClose(
  disk: ZonedDisk,
  zone: number,
  written: number,
  [open, closed]: [number, number],
): Promise<void> {
  if (has(disk, "sb_zone_open")) {
    await disk.must(disk.manage(ZoneCommand.Open, zone));
    await disk.expect(zone, [open], written, "opening it");
  }
  if (!has(disk, "sb_zone_close")) return;
  await disk.must(disk.manage(ZoneCommand.Close, zone));
  await disk.expect(zone, [closed], written, "closing it");
}

/** Makes a zone full, by finishing it, or by writing all of it where that is not too much. Whether it did. */
async function fill(
  disk: ZonedDisk,
  zone: number,
  written: number,
  capacity: number,
): Promise<boolean> {
  if (has(disk, "sb_zone_finish")) await disk.must(disk.manage(ZoneCommand.Finish, zone));
  else {
    if (capacity > FILLED_BYTES_MAX) return false;
    for (let at = written; at < capacity;) {
      const bytes = disk.kit.random.bytes(Math.min(disk.zones.maxAppend, capacity - at));
      await disk.must({ command: Command.Write, offset: disk.at(zone, at), bytes });
      at += bytes.length;
    }
  }
  await disk.expect(zone, [ZoneCondition.Full], capacity, "filling it");
  return true;
}
