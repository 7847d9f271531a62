// SPDX-License-Identifier: MIT
// Filters above devices that fail, are slow, can do little, or are very small.

import { BlockError, Errno } from "../../block/errno.ts";
import { Contents } from "../contents.ts";
import { type Check, Fault, Skipped } from "../kit.ts";
import { ModelDisk } from "../model_disk.ts";
import { doSteps, overlapSteps } from "../operations.ts";
import { Random } from "../random.ts";
import { isComplaint, type Session } from "../session.ts";
import type { StartOptions } from "../subject.ts";
import { threeHandles } from "./random.ts";

export const errors: Check = {
  name: "errors",
  title: "errors below are passed on or made good, and never turn into wrong data",
  async run(kit) {
    const { isFilter, options, childCount } = kit.subject;
    if (!isFilter) throw new Skipped("there is nothing below it");
    for (const late of [false, true]) {
      const session = kit.start({ late });
      const handles = await threeHandles(kit, session);
      const chance = new Random(options.seed + 2);
      for (const one of session.below) one.failing = () => chance.oneIn(4) ? Errno.EIO : 0;
      await doSteps(handles, Math.ceil(options.operations / 4), { mayFail: true });
      await overlapSteps(handles, Math.ceil(options.operations / 4), 8, { mayFail: true });
      for (const one of session.below) one.failing = () => 0;
      // A node that has lost all of its children need not find them again.
      const mayFail = childCount > 1;
      await doSteps(handles, Math.ceil(options.operations / 4), { mayFail });
      if (!mayFail) await handles[1]!.verify("errors below, which are over");
      await kit.close();
    }
  },
};

const VARIANTS: readonly (readonly [string, StartOptions])[] = [
  ["a device that answers late", { late: true }],
  ["a read-only device", { readOnly: true }],
  ["a device that can only read and write", { plain: true }],
  ["a device that can do little, and late", { plain: true, late: true }],
  ["a device of blocks of 512", { blockSize: { minimum: 512, preferred: 4096, maximum: 65536 } }],
  [
    "a device of blocks of 4096",
    { blockSize: { minimum: 4096, preferred: 4096, maximum: 65536 }, late: true },
  ],
];

export const below: Check = {
  name: "below",
  title: "it works above devices of all kinds, or says why not",
  async run(kit) {
    const { isFilter, options } = kit.subject;
    if (!isFilter) throw new Skipped("there is nothing below it");
    for (const [what, start] of VARIANTS) {
      await above(what, async () => {
        const handles = await threeHandles(kit, kit.start(start));
        await doSteps(handles, Math.ceil(options.operations / 4), { mayFail: false });
        await handles[1]!.verify("random operations");
        await kit.close();
      });
    }
    if (options.image !== null) return;
    for (const size of [0, 1, 511, 4097]) {
      await above(`a device of ${size} bytes`, async () => {
        const disks = Array.from({ length: kit.subject.childCount }, () => {
          return new ModelDisk(size, new Random(options.seed).bytes(size));
        });
        const session: Session = kit.start({ disks });
        const contents = await new Contents(kit, session, session.open()).load();
        if (contents.areas.length > 0) await doSteps([contents], 50, { mayFail: false });
        await kit.close();
      });
    }
  },
};

/** Runs `action`; a clean refusal to open is no fault. */
async function above(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Skipped) return;
    if (error instanceof BlockError && !isComplaint(error.message)) return;
    if (!(error instanceof Error)) throw error;
    throw new Fault(`above ${what}: ${error.message}`);
  }
}
