// SPDX-License-Identifier: MIT
// Random operations through several handles, one after the other and many at once.

import { Contents } from "../contents.ts";
import { type Check, type Kit, Skipped } from "../kit.ts";
import { doSteps, overlapSteps } from "../operations.ts";
import type { Session } from "../session.ts";
import { areasIn } from "./reading.ts";

/** Requests at the same time. */
const DEPTH = 16;

/** Two handles and a read-only one, with what they show read. */
export async function threeHandles(kit: Kit, session: Session): Promise<Contents[]> {
  const first = await new Contents(kit, session, session.open()).load();
  areasIn(first);
  return [first, first.through(session.open()), first.through(session.open(true))];
}

export const random: Check = {
  name: "random",
  title: "random operations through several handles agree with a model",
  async run(kit) {
    const handles = await threeHandles(kit, kit.start());
    await doSteps(handles, kit.subject.options.operations, { mayFail: false });
    await handles[1]!.verify("random operations");
  },
};

export const overlap: Check = {
  name: "overlap",
  title: "requests at the same time do not disturb one another",
  async run(kit) {
    const { prepared, isFilter, options } = kit.subject;
    if (!isFilter && !prepared.imports.includes("complete")) {
      throw new Skipped("it answers one request before it takes the next");
    }
    for (const late of isFilter ? [true, false] : [false]) {
      const handles = await threeHandles(kit, kit.start({ late }));
      await overlapSteps(handles, options.operations, DEPTH, { mayFail: false });
      await handles[1]!.verify("requests at the same time");
      await kit.close();
    }
  },
};
