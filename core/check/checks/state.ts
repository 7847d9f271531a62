// SPDX-License-Identifier: MIT
// What is said about a device and done for it without changing it: extents, cache, flush and FUA.

import { BlockError } from "../../block/errno.ts";
import { Command, ExtentFlag, RequestFlag } from "../../block/request.ts";
import { Contents } from "../contents.ts";
import { Area } from "../area.ts";
import { cutsOf, randomCut } from "../cuts.ts";
import { type Check, Fault, inWords, type Kit, Skipped } from "../kit.ts";
import type { ModelDisk } from "../model_disk.ts";
import type { Operation } from "../operation.ts";
import { areasIn } from "./reading.ts";

export const extents: Check = {
  name: "extents",
  title: "extents cover what is asked for, and zeroes are zeroes",
  async run(kit) {
    const session = kit.start();
    const contents = await new Contents(kit, session, session.open()).load();
    if (!contents.can("extents")) throw new Skipped("it does not report extents");
    areasIn(contents);
    await checkExtents(kit, contents);
    if (!contents.can("write")) return;
    await makeHoles(kit, contents);
    await checkExtents(kit, contents);
    await contents.verify("asking for extents");
  },
};

async function checkExtents(kit: Kit, contents: Contents): Promise<void> {
  for (const area of contents.areas) {
    await checkZeroes(contents, area, 0, area.length, 0);
    for (const [at, length] of cutsOf(area.length, contents.block, area.length)) {
      const flags = kit.random.oneIn(2) ? RequestFlag.ReqOne : 0;
      await checkZeroes(contents, area, at, length, flags);
    }
    await walk(contents, area);
  }
  const all = Number(contents.size - contents.size % BigInt(contents.block));
  if (all > Number.MAX_SAFE_INTEGER) return;
  const operation = { command: Command.BlockStatus, offset: 0n, length: all };
  await kit.must(contents.session, contents.to, operation);
}

/** What an answer says to be zero must be. */
async function checkZeroes(
  contents: Contents,
  area: Area,
  at: number,
  length: number,
  flags: number,
): Promise<void> {
  for (const extent of await contents.extents(area, at, length, flags)) {
    if ((extent.flags & ExtentFlag.Zero) === 0) continue;
    const step = contents.most;
    for (let from = extent.at; from < extent.at + extent.length; from += step) {
      const count = Math.min(step, extent.at + extent.length - from);
      const wrong = firstOther(area, from, count);
      if (wrong < 0) continue;
      const where = area.base + BigInt(from + wrong);
      const range = inWords(contents.operation(area, at, length, Command.BlockStatus, flags));
      throw new Fault(`${range}: it says that there are zeroes at ${where}, but there is data`);
    }
  }
}

/** The first byte of a range that is known not to be zero; -1 where there is none. */
function firstOther(area: Area, at: number, length: number): number {
  for (let index = 0; index < length; index++) {
    if (area.bytes[at + index] !== 0 && area.isKnown(at + index)) return index;
  }
  return -1;
}

/** From extent to extent to the end of an area, as clients that want one at a time do. */
async function walk(contents: Contents, area: Area): Promise<void> {
  for (let at = 0; at < area.length;) {
    const [first] = await contents.extents(area, at, area.length - at, RequestFlag.ReqOne);
    const step = first!.length - first!.length % contents.block;
    at += Math.max(contents.block, step);
  }
}

async function makeHoles(kit: Kit, contents: Contents): Promise<void> {
  await contents.overwrite();
  for (const area of contents.areas) {
    for (let count = 0; count < 12; count++) {
      const [at, length] = randomCut(kit.random, area.length, contents.block, contents.most);
      if (contents.can("trim") && kit.random.oneIn(2)) await contents.trim(area, at, length);
      else if (contents.can("zero")) await contents.zero(area, at, length);
      if (!kit.random.oneIn(3)) continue;
      const [from, bytes] = randomCut(kit.random, length, contents.block, contents.most);
      await contents.write(area, at + from, bytes);
    }
  }
}

export const cache: Check = {
  name: "cache",
  title: "cache requests succeed and change nothing",
  async run(kit) {
    const session = kit.start();
    const contents = await new Contents(kit, session, session.open()).load();
    if (!contents.can("cache")) throw new Skipped("it has no cache");
    for (const area of areasIn(contents)) {
      for (const [at, length] of cutsOf(area.length, contents.block, area.length)) {
        if (!kit.random.oneIn(4)) continue;
        await kit.must(session, contents.to, contents.operation(area, at, length, Command.Cache));
      }
      await contents.verify("caching");
    }
  },
};

export const flush: Check = {
  name: "flush",
  title: "what is flushed, or written with FUA, is on stable storage",
  async run(kit) {
    const disks = kit.subject.disks();
    const session = kit.start({ disks });
    const contents = await new Contents(kit, session, session.open()).load();
    const flushes = contents.can("flush");
    if (!flushes && !contents.can("fua")) throw new Skipped("it has neither flush nor FUA");
    const flushed = async (after: string) => {
      if (!flushes) return;
      await kit.must(session, contents.to, { command: Command.Flush });
      await checkDurable(kit, contents, disks, `flush after ${after}`);
    };
    await flushed("opening");
    const readOnly = session.open(true);
    if (readOnly.info.can.flush !== 0) {
      await kit.must(session, readOnly, { command: Command.Flush });
    }
    if (!contents.can("write")) return;
    for (const area of areasIn(contents)) {
      for (let count = 0; count < 8; count++) {
        for (const change of changes(kit, contents, area)) {
          const operation = await change(0);
          await flushed(inWords(operation));
          if (contents.fua === 0) continue;
          const forced = await change(contents.fua);
          await checkDurable(kit, contents, disks, inWords(forced));
        }
      }
    }
    await contents.verify("flushing");
  },
};

type Change = (flags: number) => Promise<Operation>;

/** All kinds of changes to a random range. */
function changes(kit: Kit, contents: Contents, area: Area): Change[] {
  const [at, length] = randomCut(kit.random, area.length, contents.block, contents.most);
  const found: Change[] = [(flags) => contents.write(area, at, length, flags)];
  if (contents.can("zero")) found.push((flags) => contents.zero(area, at, length, flags));
  if (contents.can("trim")) found.push((flags) => contents.trim(area, at, length, flags));
  return found;
}

/**
 * What a filter has written below must be durable by now. It may still hold what matters to nobody, so
 * what counts is what the filter would show after a power failure.
 */
async function checkDurable(
  kit: Kit,
  contents: Contents,
  disks: readonly ModelDisk[],
  after: string,
): Promise<void> {
  const index = disks.findIndex((disk) => disk.hasVolatile);
  if (index < 0) return;
  const now = await shownBy(kit, contents, disks.map((disk) => disk.copy(false)));
  if (now === null) return;
  const fact = `after ${after}, child ${index} holds writes that are not on stable storage`;
  const then = await shownBy(kit, contents, disks.map((disk) => disk.copy(true)));
  if (then === null) throw new Fault(`${fact}: it would not open after a power failure`);
  for (const [number, area] of now.entries()) {
    const difference = area.difference(0, then[number]!.bytes);
    if (difference !== "") throw new Fault(`${fact}: after a power failure, ${difference}`);
  }
}

/** What another instance shows above `disks`; null where it does not open. */
async function shownBy(
  kit: Kit,
  { areas }: Contents,
  disks: readonly ModelDisk[],
): Promise<readonly Area[] | null> {
  try {
    const session = kit.start({ disks, index: 1 });
    const same = areas.map((area) => new Area(area.base, area.length));
    await new Contents(kit, session, session.open(), same).load();
    await session.close();
    return same;
  } catch (error) {
    if (error instanceof BlockError || error instanceof Fault) return null;
    throw error;
  }
}
