// SPDX-License-Identifier: MIT
// Reads: the same bytes however they are asked for, and for as long as an answer is needed.

import { copyFrom } from "../../block/memory.ts";
import { Command } from "../../block/request.ts";
import type { Area } from "../area.ts";
import { Contents } from "../contents.ts";
import { cutsOf, randomCut } from "../cuts.ts";
import { type Check, Fault, inWords, type Kit, Skipped } from "../kit.ts";
import type { Pending } from "../session.ts";

/** The areas of an export. Throws Skipped where there are none. */
export function areasIn(contents: Contents): readonly Area[] {
  if (contents.areas.length === 0) throw new Skipped("it has no bytes");
  return contents.areas;
}

export const read: Check = {
  name: "read",
  title: "reads agree at all boundaries",
  async run(kit) {
    const session = kit.start();
    const contents = await new Contents(kit, session, session.open()).load();
    for (const area of areasIn(contents)) {
      for (const [at, length] of cutsOf(area.length, contents.block, contents.most)) {
        await contents.read(area, at, length);
      }
    }
    await readMost(kit, contents);
    await contents.verify("all kinds of reads");
  },
};

/** The largest read that it says it takes. */
async function readMost(kit: Kit, contents: Contents): Promise<void> {
  const length = Math.min(contents.most, Number(contents.size));
  const whole = length - length % contents.block;
  const [first] = contents.areas;
  const operation = { command: Command.Read, offset: 0n, length: whole };
  const { bytes } = await kit.must(contents.session, contents.to, operation);
  const difference = first!.difference(0, bytes.subarray(0, first!.length));
  if (difference !== "") throw new Fault(`${inWords(operation)}: ${difference}`);
}

/** Answers that are held at the same time, and how often. */
const HELD = 12;
const ROUNDS = 8;

export const stable: Check = {
  name: "stable",
  title: "the answer to a read stays until the next write",
  async run(kit) {
    const session = kit.start();
    const contents = await new Contents(kit, session, session.open()).load();
    // Zeroes all look alike.
    if (contents.can("write")) await contents.overwrite();
    for (let round = 0; round < ROUNDS; round++) {
      const held: Pending[] = [];
      for (let count = 0; count < HELD; count++) {
        const area = kit.random.pick(areasIn(contents));
        const [at, length] = randomCut(kit.random, area.length, contents.block, contents.most);
        held.push(
          session.begin(contents.to, contents.operation(area, at, length, Command.Read)),
        );
      }
      await session.settle();
      kit.listen(session, "several reads");
      await between(kit, contents);
      for (const pending of held) checkHeld(pending);
      for (const pending of held) pending.release();
    }
  },
};

/** What does not change the device must not change the answers either. */
async function between(kit: Kit, contents: Contents): Promise<void> {
  const { session, to } = contents;
  if (contents.can("flush")) await kit.must(session, to, { command: Command.Flush });
  const [area] = contents.areas;
  if (contents.can("extents")) await contents.extents(area!, 0, contents.block);
  if (contents.can("cache")) {
    await kit.must(session, to, contents.operation(area!, 0, contents.block, Command.Cache));
  }
}

function checkHeld({ outcome, operation }: Pending): void {
  for (const { at, length, address } of outcome!.data) {
    const now = new Uint8Array(length);
    copyFrom(address, now);
    const changed = now.findIndex((byte, index) => byte !== outcome!.bytes[at + index]);
    if (changed < 0) continue;
    throw new Fault(
      `the answer to a ${inWords(operation)} changes afterwards, without a write: byte ${
        at + changed
      } of it`,
    );
  }
}
