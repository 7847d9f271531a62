// SPDX-License-Identifier: MIT
// Several clients: what one writes, all see, whichever handle or instance they have.

import { Contents } from "../contents.ts";
import { randomCut } from "../cuts.ts";
import { type Check, type Kit, Skipped } from "../kit.ts";
import { areasIn } from "./reading.ts";

const ROUNDS = 24;

export const handles: Check = {
  name: "handles",
  title: "what one client writes, the others see at once, and those that come later",
  async run(kit) {
    const session = kit.start();
    const one = new Contents(kit, session, session.open());
    if (!one.can("write")) throw new Skipped("it cannot write");
    areasIn(one);
    const two = one.through(session.open());
    const reader = one.through(session.open(true));
    await one.overwrite();
    await two.verify("writing through another handle");
    await exchange(kit, [one, two], reader);
    session.shut(one.to);
    kit.listen(session, "closing a handle");
    await two.verify("closing the handle that it was written through");
    session.shut(two.to);
    session.shut(reader.to);
    const again = one.through(session.open());
    await again.verify("closing all handles and opening it again");
  },
};

/** Writes through each of `writers` in turn; what one writes, the next one and `reader` must see. */
async function exchange(kit: Kit, writers: readonly Contents[], reader: Contents): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const writer = writers[round % writers.length]!;
    const area = kit.random.pick(writer.areas);
    const [at, length] = randomCut(kit.random, area.length, writer.block, writer.most);
    await writer.write(area, at, length);
    const other = writers[(round + 1) % writers.length]!;
    await other.read(area, at, length, "a write through another handle");
    await reader.read(area, at, length, "a write through another handle");
  }
}

export const instances: Check = {
  name: "instances",
  title: "several instances show the same device",
  async run(kit) {
    if (kit.subject.manifest.threads !== "parallel") {
      throw new Skipped("it runs in one instance only");
    }
    const disks = kit.subject.disks();
    const [first, second] = [0, 1].map((index) => kit.start({ disks, index, instances: 2 }));
    const one = new Contents(kit, first!, first!.open());
    const two = one.through(second!.open(), second!);
    await one.load();
    await two.verify("reading it through another instance");
    if (!one.can("write") || one.areas.length === 0) return;
    await one.overwrite();
    await two.verify("writing through another instance");
    await exchange(kit, [one, two], one);
  },
};
