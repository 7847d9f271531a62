// SPDX-License-Identifier: MIT
// What changes a device: writes, zeroes and trims change what they should, and nothing beside it.

import { Errno } from "../../block/errno.ts";
import { Support } from "../../block/export.ts";
import { Command, ExtentFlag, RequestFlag } from "../../block/request.ts";
import type { Area } from "../area.ts";
import { Contents } from "../contents.ts";
import { type Cut, cutsOf, randomCut } from "../cuts.ts";
import { type Check, errorWords, Fault, inWords, type Kit, Skipped } from "../kit.ts";
import { areasIn } from "./reading.ts";

/** A writable export full of random bytes. Throws Skipped where it lacks one of `needs`. */
async function writable(kit: Kit, ...needs: ("zero" | "fastZero" | "trim")[]): Promise<Contents> {
  const session = kit.start();
  const contents = new Contents(kit, session, session.open());
  if (!contents.can("write")) throw new Skipped("it cannot write");
  for (const need of needs) {
    if (!contents.can(need)) {
      throw new Skipped(`it has no ${need === "fastZero" ? "fast zero" : need}`);
    }
  }
  areasIn(contents);
  return await contents.overwrite();
}

/** Cuts of an area; where there are many areas, not all of them. */
function someCuts(contents: Contents, area: Area, share: number): Cut[] {
  const { random } = contents.kit;
  return cutsOf(area.length, contents.block, contents.most).filter(() => random.oneIn(share));
}

export const write: Check = {
  name: "write",
  title: "writes change what they should, at all boundaries, and nothing else",
  async run(kit) {
    const contents = await writable(kit);
    await contents.verify("writing everything");
    for (const area of contents.areas) {
      for (const [at, length] of someCuts(contents, area, 1)) {
        const flags = kit.random.oneIn(4) ? contents.fua : 0;
        const operation = await contents.write(area, at, length, flags);
        await contents.verifyAround(area, at, length, inWords(operation));
      }
    }
    await contents.verify("many writes");
    if (kit.subject.options.writes === "same") await writeOther(kit, contents);
    else await writeMost(kit, contents);
  },
};

/** Where other bytes may not be written, that must fail. */
async function writeOther(kit: Kit, contents: Contents): Promise<void> {
  for (const area of contents.areas) {
    const [at, length] = randomCut(kit.random, area.length, contents.block, contents.most);
    const bytes = area.bytes.slice(at, at + length);
    bytes[length - 1]! ^= 1;
    const operation = { ...contents.operation(area, at, length, Command.Write), bytes };
    const { errno } = await kit.may(contents.session, contents.to, operation);
    if (errno === 0) throw new Fault(`${inWords(operation)}, with other bytes, succeeds`);
  }
  await contents.verify("writes that failed");
}

/** The largest write that it says it takes. */
async function writeMost(kit: Kit, contents: Contents): Promise<void> {
  const length = Math.min(contents.most, Number(contents.size));
  const bytes = kit.random.bytes(length - length % contents.block);
  const operation = { command: Command.Write, offset: 0n, bytes };
  await kit.must(contents.session, contents.to, operation);
  for (const area of contents.areas) {
    const from = Number(area.base);
    const part = bytes.subarray(from, from + area.length);
    if (from < bytes.length) contents.applied({ ...operation, bytes: part }, area, 0);
  }
  await contents.verify(inWords(operation));
}

export const zero: Check = {
  name: "zero",
  title: "zeroed ranges read as zeroes, and stay allocated where they must",
  async run(kit) {
    const contents = await writable(kit, "zero");
    const checksHoles = contents.can("zero", true) && contents.can("extents") &&
      kit.subject.options.writes === "keep";
    for (const area of contents.areas) {
      for (const [at, length] of someCuts(contents, area, 2)) {
        const noHole = kit.random.oneIn(2);
        const fua = kit.random.oneIn(4) ? contents.fua : 0;
        const flags = (noHole ? RequestFlag.NoHole : 0) | fua;
        const operation = await contents.zero(area, at, length, flags);
        await contents.verifyAround(area, at, length, inWords(operation));
        if (noHole && checksHoles) await checkAllocated(contents, area, at, length);
        await contents.write(area, at, length);
        await contents.verifyAround(area, at, length, `${inWords(operation)} and a write`);
      }
      const operation = await contents.zero(area, 0, area.length);
      await contents.verify(inWords(operation));
    }
  },
};

/** What was allocated and is zeroed without a hole is allocated still. */
async function checkAllocated(
  contents: Contents,
  area: Area,
  at: number,
  length: number,
): Promise<void> {
  for (const extent of await contents.extents(area, at, length)) {
    if ((extent.flags & ExtentFlag.Hole) === 0) continue;
    const where = area.base + BigInt(extent.at);
    throw new Fault(
      `zero of ${length} bytes at ${area.base + BigInt(at)} with NO_HOLE leaves a hole at ${where}`,
    );
  }
}

export const fastZero: Check = {
  name: "fast-zero",
  title: "fast zeroes are done, or refused before anything changes",
  async run(kit) {
    const contents = await writable(kit, "zero", "fastZero");
    let done = 0;
    for (const area of contents.areas) {
      for (const [at, length] of someCuts(contents, area, 4)) {
        const flags = RequestFlag.FastZero | (kit.random.oneIn(2) ? RequestFlag.NoHole : 0);
        const operation = contents.operation(area, at, length, Command.WriteZeroes, flags);
        const outcome = await kit.may(contents.session, contents.to, operation);
        if (outcome.errno === 0) {
          contents.applied(operation, area, at);
          done++;
        } else if (outcome.errno !== Errno.EOPNOTSUPP) {
          const words = errorWords(outcome);
          throw new Fault(`${inWords(operation)} fails: ${words}; it may only be EOPNOTSUPP`);
        }
        await contents.verifyAround(area, at, length, inWords(operation));
        await contents.write(area, at, length);
      }
    }
    const native = contents.to.info.can.fastZero === Support.Native;
    if (native && done === 0) kit.notes.push("it never zeroes fast, though it says that it can");
  },
};

export const trim: Check = {
  name: "trim",
  title: "trims touch nothing but their range, which can be written again",
  async run(kit) {
    const contents = await writable(kit, "trim");
    for (const area of contents.areas) {
      for (const [at, length] of someCuts(contents, area, 2)) {
        const operation = await contents.trim(
          area,
          at,
          length,
          kit.random.oneIn(4) ? contents.fua : 0,
        );
        await contents.verifyAround(area, at, length, inWords(operation));
        const [from, count] = randomCut(kit.random, length, contents.block, contents.most);
        await contents.write(area, at + from, count);
        await contents.verifyAround(area, at, length, `${inWords(operation)} and a write`);
        await contents.write(area, at, length);
      }
      const operation = await contents.trim(area, 0, area.length);
      await contents.verify(inWords(operation));
      await contents.write(area, 0, Math.min(area.length, contents.most));
    }
    await contents.verify("many trims");
  },
};
