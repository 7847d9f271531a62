// SPDX-License-Identifier: MIT
// What a check has at hand: instances of the plugin, random numbers, and ways to say what it found.

import type { OpenExport } from "../block/device.ts";
import { errnoName } from "../block/errno.ts";
import { Command, RequestFlag } from "../block/request.ts";
import { ZoneCommand } from "../block/zones.ts";
import type { Operation, Outcome } from "./operation.ts";
import { Random } from "./random.ts";
import { NeverAnswered, type Session } from "./session.ts";
import type { StartOptions, Subject } from "./subject.ts";

/** One check. */
export interface Check {
  /** A word by which it can be left out, and which a report gives. */
  readonly name: string;
  /** What holds when it passes. */
  readonly title: string;
  /** Throws Fault, Skipped, or what the device throws. */
  run(kit: Kit): Promise<void> | void;
}

/** The plugin does not do what it should. */
export class Fault extends Error {}

/** It may do what it should, but takes too long. */
export class TooSlow extends Fault {}

/** There is nothing to check. */
export class Skipped extends Error {}

/** See the top of this file. */
export class Kit {
  readonly random: Random;
  /** What is no fault, but worth knowing. */
  readonly notes: string[] = [];
  readonly #sessions: Session[] = [];

  constructor(readonly subject: Subject) {
    this.random = new Random(subject.options.seed);
  }

  /** Starts an instance, which is closed when the check ends. Throws BlockError. */
  start(options?: StartOptions): Session {
    const session = this.subject.start(options);
    this.#sessions.push(session);
    this.listen(session, "starting it");
    return session;
  }

  /** Makes a request, which must succeed; `throws` Fault otherwise. */
  async must(session: Session, to: OpenExport, operation: Operation): Promise<Outcome> {
    const outcome = await this.may(session, to, operation);
    if (outcome.errno !== 0) {
      throw new Fault(`${inWords(operation)} fails: ${errorWords(outcome)}`);
    }
    const [failed] = outcome.failed;
    if (failed !== undefined) {
      throw new Fault(
        `${inWords(operation)} fails: ${failed.length} bytes of it with ${errnoName(failed.errno)}`,
      );
    }
    return outcome;
  }

  /** Makes a request, which may fail but must not break rules. */
  async may(session: Session, to: OpenExport, operation: Operation): Promise<Outcome> {
    let outcome: Outcome;
    try {
      outcome = await session.perform(to, operation);
    } catch (error) {
      const slow = error instanceof NeverAnswered && !error.stuck;
      throw new (slow ? TooSlow : Fault)(`${inWords(operation)}: ${(error as Error).message}`);
    }
    this.listen(session, inWords(operation));
    return outcome;
  }

  /** Throws Fault if the host has complained about the plugin during `what`. */
  listen(session: Session, what: string): void {
    const [first] = session.takeComplaints();
    if (first !== undefined) throw new Fault(`${what}: ${first}`);
  }

  /** `message`, and what the host has complained about. */
  explain(message: string): string {
    return this.#sessions.reduce((text, session) => session.explain(text), message);
  }

  /** Closes the instance that was started last, which has trapped, whatever it says to that. */
  async abandon(): Promise<void> {
    const session = this.#sessions.pop();
    if (session === undefined) return;
    await session.close();
    session.takeComplaints();
  }

  /**
   * Closes what was started: also before a check starts another instance, as a plugin may have files for
   * itself. Throws Fault where that is not clean.
   */
  async close(): Promise<void> {
    for (const session of this.#sessions) {
      await session.close();
      this.listen(session, "stopping it");
    }
  }
}

/** An operation for people: `write of 512 bytes at 0 with FUA`. */
export function inWords(operation: Operation): string {
  const { command, offset = 0n, bytes, length, flags = 0, ioctl = 0 } = operation;
  if (command === Command.Ioctl) return `ioctl 0x${ioctl.toString(16)}`;
  const name = NAMES[command] ?? `command ${command}`;
  if (command === Command.Flush) return name;
  const count = length ?? bytes?.length ?? 0;
  const words = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, word]) => word);
  const extra = words.length > 0 ? ` with ${words.join(" and ")}` : "";
  return `${name} of ${count} ${count === 1 ? "byte" : "bytes"} at ${offset}${extra}`;
}

/** Why a request failed. */
export function errorWords({ errno, text }: Outcome): string {
  return text === "" ? errnoName(errno) : `${errnoName(errno)} (${text})`;
}

const NAMES: Readonly<Record<number, string>> = {
  [Command.Read]: "read",
  [Command.Write]: "write",
  [Command.Flush]: "flush",
  [Command.Trim]: "trim",
  [Command.Cache]: "cache",
  [Command.WriteZeroes]: "zero",
  [Command.BlockStatus]: "extents",
  [ZoneCommand.Report]: "zone report",
  [ZoneCommand.Append]: "append",
  [ZoneCommand.Open]: "zone open",
  [ZoneCommand.Close]: "zone close",
  [ZoneCommand.Finish]: "zone finish",
  [ZoneCommand.Reset]: "zone reset",
  [Command.SecureErase]: "secure erase",
};

const FLAGS = [
  [RequestFlag.Fua, "FUA"],
  [RequestFlag.NoHole, "NO_HOLE"],
  [RequestFlag.ReqOne, "REQ_ONE"],
  [RequestFlag.FastZero, "FAST_ZERO"],
] as const;
