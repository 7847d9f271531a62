// SPDX-License-Identifier: MIT
// Warnings about programs that are right but probably not meant: rules that decide about nothing,
// tests that say nothing.

import { errnoName } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { wireErrno } from "../nbd/wire_errno.ts";
import { covers } from "./cover.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { commandsText } from "./format.ts";
import { type Link, lower, type Lowered } from "./lower.ts";
import { type Action, COMMANDS_ALL, type Condition, every, type Program } from "./program.ts";
import { COMMANDS } from "./vocabulary.ts";

/** Bits of the commands without offset and length. */
const WITHOUT_RANGE = 1 << Command.Flush | 1 << Command.Ioctl;

/** Adds warnings, and an error where the program asks too much about clients. */
export function lint(program: Program, diagnostics: Diagnostic[]): void {
  const warn = (line: number, message: string) => {
    diagnostics.push({ severity: "warning", line, column: 1, message });
  };
  const { chains } = lower(program);
  warnOfErrno(program.otherwise, program.otherwiseLine, warn);
  for (const [rule, { action, commands, when, line }] of program.rules.entries()) {
    warnOfErrno(action, line, warn);
    const about = withRange(commands);
    const lost = unreachable(chains, rule, about);
    if (lost.commands === about) warn(line, lost.why);
    else if (lost.commands !== 0 && commands !== COMMANDS_ALL) {
      warn(line, `about ${commandsText(lost.commands)}, ${lost.why}`);
    }
    if ((commands & ~WITHOUT_RANGE) === 0 && !every(when, isWithoutBytes)) {
      const what = commands === 1 << Command.Flush ? "a flush" : "an ioctl";
      warn(line, `${what} has no offset and no length, so tests of them say nothing`);
    }
    if (!every(when, (leaf) => leaf.kind !== "text" || leaf.field !== "tls.identity")) {
      warn(line, "no client has a tls.identity yet, so a test of it does not hold");
    }
  }
}

/** NBD has few errors, so a client is told the nearest one. */
function warnOfErrno({ errno }: Action, line: number, warn: (line: number, text: string) => void) {
  const told = wireErrno(errno, Command.Read, 0);
  if (errno === 0 || told === errno) return;
  warn(line, `NBD has no ${errnoName(errno)}, so clients are told ${errnoName(told)}`);
}

function isWithoutBytes(leaf: Condition): boolean {
  return leaf.kind !== "number" && leaf.kind !== "range" && leaf.kind !== "aligned";
}

/** The commands whose offset and length mean something, or those by themselves that have none. */
function withRange(commands: number): number {
  return commands & ~WITHOUT_RANGE || commands;
}

/** The commands of a rule for which it never has a say, and why. */
function unreachable(
  chains: readonly (readonly Link[] | null)[],
  rule: number,
  commands: number,
): { commands: number; why: string } {
  let lost = 0;
  let why = "";
  for (const command of COMMANDS.values()) {
    if ((commands >> command & 1) === 0) continue;
    const chain = chains[command]!;
    const at = chain.findIndex((link) => link.rule === rule);
    if (at < 0) {
      const end = chain.at(-1)!.rule;
      const decided = end >= 0 && end < rule;
      why ||= decided ? ALL_DECIDED : "this rule never applies: its condition cannot hold";
    } else if (chain.slice(0, at).some((earlier) => decides(earlier, chain[at]!.when))) {
      why ||= ALL_DECIDED;
    } else continue;
    lost |= 1 << command;
  }
  return { commands: lost, why };
}

const ALL_DECIDED = "this rule is never reached: rules above decide about all that it is about";

function decides({ action, when: earlier }: Link, when: Lowered): boolean {
  return action.kind !== "log" && covers(earlier, when);
}
