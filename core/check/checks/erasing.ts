// SPDX-License-Identifier: MIT
// What only kernels ask for: a secure erase leaves nothing to be read, an ioctl that nobody knows does nothing.

import { Errno, errnoName } from "../../block/errno.ts";
import { Command } from "../../block/request.ts";
import type { Area } from "../area.ts";
import { Contents } from "../contents.ts";
import { cutsOf, randomCut } from "../cuts.ts";
import { type Check, Fault, inWords, Skipped } from "../kit.ts";
import { areasIn } from "./reading.ts";

/** So many bytes that are what they were cannot be chance. */
const SIGHT_BYTES = 64;
/** A letter that no driver has, and how many numbers of it are tried. */
const LETTER = 0xee;
const TRIES = 40;
/** Bytes of the arguments that are tried. */
const ARGUMENT_BYTES = [0, 1, 4, 8, 100, 4096, 16383];

export const secureErase: Check = {
  name: "secure-erase",
  title: "what was erased for good cannot be read, and nothing beside it is touched",
  async run(kit) {
    const session = kit.start();
    const contents = new Contents(kit, session, session.open());
    if (!contents.can("secureErase")) throw new Skipped("it has no secure erase");
    areasIn(contents);
    await contents.overwrite();
    for (const area of contents.areas) {
      for (const [at, length] of cutsOf(area.length, contents.block, contents.most)) {
        if (!kit.random.oneIn(2)) continue;
        const operation = contents.operation(area, at, length, Command.SecureErase);
        await kit.must(session, contents.to, operation);
        await checkGone(contents, area, at, length);
        contents.applied(operation, area, at);
        await contents.verifyAround(area, at, length, inWords(operation));
        const [from, count] = randomCut(kit.random, length, contents.block, contents.most);
        await contents.write(area, at + from, count);
        await contents.write(area, at, length);
      }
    }
    await contents.verify("many secure erases");
  },
};

/** Throws Fault where the bytes of an area are still there in a range that was erased. */
async function checkGone(
  { kit, session, to }: Contents,
  area: Area,
  at: number,
  length: number,
): Promise<void> {
  if (kit.subject.options.writes !== "keep") return;
  const read = { command: Command.Read, offset: area.base + BigInt(at), length };
  const { bytes } = await kit.must(session, to, read);
  for (let from = 0; from + SIGHT_BYTES <= length; from += SIGHT_BYTES) {
    const before = area.bytes.subarray(at + from, at + from + SIGHT_BYTES);
    if (!before.every((byte, index) => byte === bytes[from + index])) continue;
    const where = area.base + BigInt(at + from);
    throw new Fault(`what was at ${where} can still be read after a secure erase of it`);
  }
}

export const ioctl: Check = {
  name: "ioctl",
  title: "ioctls that it cannot know are refused and change nothing",
  async run(kit) {
    const session = kit.start();
    const contents = new Contents(kit, session, session.open());
    if (!contents.can("ioctl")) throw new Skipped("it has no ioctls");
    if (contents.can("write")) await contents.overwrite();
    else await contents.load();
    const others = new Set<string>();
    for (let count = 0; count < TRIES; count++) {
      const length = kit.random.pick(ARGUMENT_BYTES);
      const direction = length === 0 ? 0 : 1 + kit.random.below(3);
      const number = (direction << 30 | length << 16 | LETTER << 8 | kit.random.below(256)) >>> 0;
      const bytes = kit.random.bytes(length);
      const operation = { command: Command.Ioctl, ioctl: number, bytes };
      const { errno } = await kit.may(session, contents.to, operation);
      if (errno !== Errno.ENOTTY) others.add(errno === 0 ? "succeed" : `are ${errnoName(errno)}`);
    }
    if (others.size > 0) {
      kit.notes.push(`ioctls that it cannot know ${[...others].join(", ")}; ENOTTY is expected`);
    }
    await contents.verify("ioctls that it cannot know");
  },
};
