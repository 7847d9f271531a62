// SPDX-License-Identifier: MIT
// Starting and stopping, with the parameters that were given and at the limits of each.

import { BlockError, Errno } from "../../block/errno.ts";
import { Command } from "../../block/request.ts";
import { ParameterError } from "../../plugin/errors.ts";
import type { ParameterDeclaration, ParameterValue } from "../../plugin/parameters.ts";
import { parseValue } from "../../plugin/values.ts";
import { Contents } from "../contents.ts";
import type { Area } from "../area.ts";
import { type Check, errorWords, Fault, inWords, type Kit, Skipped, TooSlow } from "../kit.ts";
import { isComplaint, type Session } from "../session.ts";

/** How long requests may take with unusual values. */
const PATIENCE_MS = 300;
/** Instances that are started one after the other. */
const STARTS = 3;

export const start: Check = {
  name: "start",
  title: "it starts and stops, again and again",
  async run(kit) {
    for (let count = 0; count < STARTS; count++) {
      const session = kit.start();
      session.shut(session.open());
      kit.listen(session, "opening an export");
      await session.close();
      kit.listen(session, "stopping");
    }
  },
};

export const parameters: Check = {
  name: "parameters",
  title: "it takes every value that its parameters may have, or says why not",
  async run(kit) {
    const { manifest, options } = kit.subject;
    if (manifest.parameters.length === 0) throw new Skipped("it has no parameters");
    for (const [index, declaration] of manifest.parameters.entries()) {
      for (const text of candidates(declaration)) {
        const value = parsed(declaration, index, text);
        if (value === null) continue;
        const others = options.values.filter((one) => one.index !== index);
        const values = [...others, value].sort((a, b) => a.index - b.index);
        await tryValues(kit, values, declaration, text);
      }
    }
  },
};

function parsed(
  declaration: ParameterDeclaration,
  index: number,
  text: string,
): ParameterValue | null {
  try {
    return parseValue(declaration, index, text, "/");
  } catch (error) {
    if (error instanceof ParameterError) return null;
    throw error;
  }
}

/** Values at the limits of a parameter, some of which it may not have. */
function candidates({ type, minimum, maximum, values = [], default: usual }: ParameterDeclaration) {
  const limits = [minimum, maximum, usual].filter((text) => text !== undefined);
  switch (type) {
    case "int":
      return [...limits, "0", "1", "-1", "0x7fffffffffffffff", "-0x8000000000000000"];
    case "size":
      return [...limits, "0", "1", "511", "4097", "1048577", "5G", "9223372036854775807"];
    case "duration":
      return [...limits, "0", "1ns"];
    case "percentage":
      return [...limits, "0", "100"];
    case "bool":
      return ["true", "false"];
    case "enum":
      return values;
    case "list":
      return ["", "a", Array.from({ length: 1000 }, (_, index) => `e${index}`).join(",")];
    case "path":
      return ["/", "/nonexistent/\u00fc"];
    case "uri":
      return ["nbd://localhost/%00", "a:"];
    case "secret":
      return ["\u20ac"];
    default:
      return ["", "x", "\u20ac\u0001'\"", "x".repeat(5000)];
  }
}

async function tryValues(
  kit: Kit,
  values: readonly ParameterValue[],
  declaration: ParameterDeclaration,
  text: string,
): Promise<void> {
  const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  const what = `with ${declaration.name}=${shown}`;
  let session: Session;
  try {
    session = kit.start({ values });
  } catch (error) {
    return refusedCleanly(error, what);
  }
  session.patienceMs = PATIENCE_MS;
  try {
    // A delay could be of any length.
    if (declaration.type !== "duration") await tryEnds(kit, session, declaration.type === "size");
  } catch (error) {
    refusedCleanly(error, what);
  }
  await session.close();
  kit.listen(session, what);
}

/** A plugin may refuse to start or to open with an errno, not by breaking down. */
function refusedCleanly(error: unknown, what: string): void {
  // That is what a value may be for.
  if (error instanceof TooSlow) return;
  if (error instanceof Fault) throw new Fault(`${what}: ${error.message}`);
  if (!(error instanceof BlockError)) throw error;
  if (isComplaint(error.message)) throw new Fault(`${what}: ${error.message}`);
}

/** Reads, and perhaps writes, the first and the last bytes. */
async function tryEnds(kit: Kit, session: Session, writes: boolean): Promise<void> {
  const contents = new Contents(kit, session, session.open());
  const ends = [contents.areas[0], contents.areas.at(-1)];
  for (const area of ends) {
    if (area === undefined) continue;
    const { block } = contents;
    const count = Math.min(area.length, Math.max(block, 4096 - 4096 % block));
    const places = [0, area.length - count];
    for (const at of places) {
      await contents.load(area, at, count);
      await contents.read(area, at, count);
      if (!writes || !contents.can("write")) continue;
      const written = await tryWrite(kit, contents, area, at, count);
      if (written) await contents.read(area, at, count, "writing it");
    }
  }
}

/** Whether a write succeeds. There may be no room for it. */
async function tryWrite(
  kit: Kit,
  contents: Contents,
  area: Area,
  at: number,
  length: number,
): Promise<boolean> {
  const bytes = contents.newBytes(area, at, length);
  const operation = { ...contents.operation(area, at, length, Command.Write), bytes };
  const outcome = await kit.may(contents.session, contents.to, operation);
  if (outcome.errno === Errno.ENOSPC || outcome.errno === Errno.ENOMEM) return false;
  if (outcome.errno !== 0) throw new Fault(`${inWords(operation)} fails: ${errorWords(outcome)}`);
  contents.applied(operation, area, at);
  return true;
}

const PEERS = [
  "unix:pid=1,uid=0,gid=0",
  "tcp:192.0.2.1:4321",
  "tcp:[2001:db8::1]:4321",
  "fd:3",
  "",
  `unix:${"x".repeat(5000)}`,
];

export const connect: Check = {
  name: "connect",
  title: "it admits clients, or says why not",
  run(kit) {
    if (!kit.subject.prepared.exports.includes("sb_connect")) {
      throw new Skipped("it lets everybody connect");
    }
    const session = kit.start();
    for (const peer of PEERS) {
      try {
        session.device.connect(peer);
      } catch (error) {
        refusedCleanly(error, `a client "${peer.slice(0, 40)}"`);
        kit.notes.push(`it refuses a client "${peer.slice(0, 40)}"`);
      }
      kit.listen(session, `a client "${peer.slice(0, 40)}"`);
    }
  },
};
