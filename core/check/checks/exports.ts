// SPDX-License-Identifier: MIT
// What can be opened, and what is said about it.

import { BlockError, Errno, errnoName } from "../../block/errno.ts";
import type { ExportInfo } from "../../block/export.ts";
import { toBigInt } from "../../block/uint64.ts";
import { Contents } from "../contents.ts";
import { type Check, Fault, type Kit } from "../kit.ts";
import type { Session } from "../session.ts";

/** Exports that are opened of a long list. */
const OPENED_MAX = 16;
const NO_EXPORT = "no export has this name \u00fc";

export const exports: Check = {
  name: "exports",
  title: "it lists exports that can be opened, and no others open",
  run(kit) {
    const session = kit.start();
    const names = session.device.list().map(({ name }) => name);
    kit.listen(session, "listing exports");
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new Fault(`it lists the export "${twice}" twice`);
    for (const name of names.slice(0, OPENED_MAX)) openListed(kit, session, name);
    const usual = session.device.defaultExport();
    kit.listen(session, "telling the default export");
    if (usual !== null && !names.includes(usual)) openListed(kit, session, usual);
    openUnknown(kit, session);
  },
};

function openListed(kit: Kit, session: Session, name: string): void {
  try {
    session.shut(session.open(false, name));
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw new Fault(`the export "${name}", which it lists, does not open: ${error.message}`);
  }
  kit.listen(session, `opening the export "${name}"`);
}

function openUnknown(kit: Kit, session: Session): void {
  try {
    session.shut(session.open(false, NO_EXPORT));
    kit.notes.push("it opens an export that it does not list");
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    if (error.errno === Errno.ENOENT) return;
    const name = errnoName(error.errno);
    throw new Fault(`opening an export that is not there fails with ${name}; it must be ENOENT`);
  }
  kit.listen(session, "opening an export that is not there");
}

/** Handles that are open at the same time. */
const HANDLES = 8;

export const open: Check = {
  name: "open",
  title: "an export opens many times, read-only too, and stays the same",
  async run(kit) {
    const session = kit.start();
    const first = session.open();
    const facts = factsOf(first.info);
    const opened = Array.from({ length: HANDLES }, (_, index) => session.open(index % 2 === 1));
    for (const [index, one] of opened.entries()) {
      const readOnly = index % 2 === 1;
      compare(facts, factsOf(one.info), readOnly);
      if (readOnly && !one.info.readOnly) throw new Fault("opened read-only, it can be written");
    }
    const contents = await new Contents(kit, session, first).load();
    for (const one of opened) {
      const [area] = contents.areas;
      if (area !== undefined) await contents.through(one).read(area, 0, contents.block);
    }
    for (const index of [3, 0, 7, 5]) session.shut(opened[index]!);
    kit.listen(session, "closing handles");
    const [area] = contents.areas;
    for (const index of [1, 2, 4, 6]) {
      if (area === undefined) break;
      await contents.through(opened[index]!).read(area, 0, contents.block, "others were closed");
    }
    for (const index of [1, 2, 4, 6]) session.shut(opened[index]!);
    session.shut(first);
    const again = session.open();
    compare(facts, factsOf(again.info), false);
    await contents.through(again).verify("closing everything");
    noteSize(kit, again.info);
  },
};

/** What must be the same each time. */
function factsOf(info: ExportInfo): Record<string, unknown> {
  const { blockSize, can, rotational } = info;
  return {
    size: toBigInt(info.sizeHigh, info.sizeLow),
    description: info.description,
    rotational,
    ...blockSize,
    flush: can.flush,
    cache: can.cache,
    extents: can.extents,
    ...!info.readOnly && { write: can.write, fua: can.fua, trim: can.trim, zero: can.zero },
  };
}

function compare(
  before: Record<string, unknown>,
  now: Record<string, unknown>,
  readOnly: boolean,
): void {
  for (const [name, value] of Object.entries(now)) {
    if (before[name] === value || before[name] === undefined) continue;
    const how = readOnly ? "opened read-only" : "opened once more";
    throw new Fault(`${how}, its ${name} is ${value}; it was ${before[name]}`);
  }
}

function noteSize(kit: Kit, info: ExportInfo): void {
  const size = toBigInt(info.sizeHigh, info.sizeLow);
  const { minimum } = info.blockSize;
  const rest = size % BigInt(minimum);
  if (size === 0n) kit.notes.push("it has no bytes: give it a size to check more");
  if (rest === 0n) return;
  kit.notes.push(`its last ${rest} bytes are less than a block of ${minimum}: clients lose them`);
}
