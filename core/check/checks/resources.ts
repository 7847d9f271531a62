// SPDX-License-Identifier: MIT
// What a plugin uses: memory, little of it or again and again, time while nothing is asked for, and
// the numbers that it keeps.

import { BlockError } from "../../block/errno.ts";
import { Command } from "../../block/request.ts";
import { PoolDevice } from "../../plugin/blocking/pool.ts";
import { PluginDevice } from "../../plugin/instance.ts";
import { PLAIN_NODE } from "../../plugin/manifest_node.ts";
import { Contents } from "../contents.ts";
import { type Check, Fault, type Kit, Skipped } from "../kit.ts";
import { doSteps } from "../operations.ts";
import { isComplaint, type Session } from "../session.ts";
import { threeHandles } from "./random.ts";

const PAGE = 65536;
/** Memory beyond what the module begins with. */
const SPARE = [0, 4 * PAGE, 32 * PAGE];

export const memory: Check = {
  name: "memory",
  title: "with little memory it refuses what it cannot do, and keeps what it has",
  async run(kit) {
    const { prepared, options } = kit.subject;
    const initial = prepared.memoryInitial;
    for (const spare of SPARE) {
      let isStarted = false;
      try {
        const session = kit.start({ memoryMaximum: initial + spare });
        isStarted = true;
        const handles = await threeHandles(kit, session);
        await doSteps(handles, Math.ceil(options.operations / 2), { mayFail: true });
      } catch (error) {
        if (error instanceof Skipped) continue;
        if (!(error instanceof BlockError || error instanceof Fault)) throw error;
        // Many languages cannot go on without memory; that costs one request, and is worth knowing.
        if (isComplaint(error.message) && !/breaks the ABI/.test(error.message)) {
          kit.notes.push(`with ${initial + spare} bytes of memory: ${error.message}`);
          // Some cannot even be opened or closed then.
          if (isStarted) await kit.abandon();
        } else if (error instanceof Fault && !isOutOfMemory(error)) {
          throw new Fault(`with ${initial + spare} bytes of memory: ${error.message}`);
        }
      }
    }
  },
};

/** Reading everything, which `threeHandles` does, may be too much already. */
function isOutOfMemory({ message }: Fault): boolean {
  return /\bENOMEM\b|\bENOSPC\b/.test(message);
}

/**
 * What is done in the first round, in which memory may grow, and in each of those after it, as often or for
 * as long. Memory that is collected now and then stops growing at some time.
 */
const WARM_UP = { opens: 1000, requests: 500, milliseconds: 1000 };
const ROUND = { opens: 7000, requests: 3000, milliseconds: 3000 };
const ROUNDS_MAX = 5;

export const leaks: Check = {
  name: "leaks",
  title: "it gives back the memory that handles and requests have taken",
  async run(kit) {
    const session = kit.start();
    const contents = await new Contents(kit, session, session.open()).load();
    await repeat(kit, contents, WARM_UP);
    const before = session.device.memory.bytes.length;
    let last = before;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await repeat(kit, contents, ROUND);
      kit.listen(session, "opening and closing it often");
      const now = session.device.memory.bytes.length;
      if (now === last) return;
      last = now;
    }
    throw new Fault(
      `its memory grows by ${
        last - before
      } bytes while it is opened and closed, read and written ` +
        `in the same way again and again`,
    );
  },
};

async function repeat(kit: Kit, contents: Contents, round: typeof ROUND): Promise<void> {
  const { session } = contents;
  const half = performance.now() + round.milliseconds / 2;
  for (let count = 0; count < round.opens && performance.now() < half; count++) {
    session.shut(session.open());
  }
  const [area] = contents.areas;
  if (area === undefined) return;
  const length = Math.min(area.length, Math.max(contents.block, 8192 - 8192 % contents.block));
  const end = performance.now() + round.milliseconds / 2;
  for (let count = 0; count < round.requests && performance.now() < end; count += 2) {
    const operation = contents.operation(area, 0, length, Command.Read);
    await kit.must(session, contents.to, operation);
    if (contents.can("write")) await contents.write(area, 0, length);
  }
}

export const metrics: Check = {
  name: "metrics",
  title: "counters only grow",
  async run(kit) {
    const { metrics: declared } = kit.subject.manifest.node ?? PLAIN_NODE;
    if (declared.length === 0) throw new Skipped("it has no metrics");
    const session = kit.start();
    const handles = await threeHandles(kit, session);
    let before = valuesOf(session);
    for (let round = 0; round < 8; round++) {
      await doSteps(handles, 20, { mayFail: false });
      const now = valuesOf(session);
      for (const [index, { name, type }] of declared.entries()) {
        if (type !== "counter" || now[index]! >= before[index]!) continue;
        throw new Fault(`the counter "${name}" goes from ${before[index]} down to ${now[index]}`);
      }
      before = now;
    }
  },
};

function valuesOf({ device }: Session): number[] {
  return device instanceof PluginDevice || device instanceof PoolDevice
    ? device.metrics().map(({ value }) => value)
    : [];
}

/** How long nothing is asked for, and how often there may be something to do meanwhile. */
const IDLE_MS = 60;
const BUSY_MAX = 300;

export const idle: Check = {
  name: "idle",
  title: "it rests while nothing is asked for, and keeps what it holds",
  async run(kit) {
    const { imports } = kit.subject.prepared;
    const works = imports.includes("timer") || imports.includes("next_open");
    if (!works) throw new Skipped("it does nothing by itself");
    const session = kit.start();
    const handles = await threeHandles(kit, session);
    await doSteps(handles, 50, { mayFail: false });
    const busy = await session.idle(IDLE_MS);
    kit.listen(session, "waiting");
    if (busy > BUSY_MAX) {
      kit.notes.push(`it had something to do ${busy} times in ${IDLE_MS} ms without a request`);
    }
    await handles[0]!.verify("waiting");
  },
};
