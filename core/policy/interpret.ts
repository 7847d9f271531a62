// SPDX-License-Identifier: MIT
// What a policy means, as plainly as it can be written (docs/policy.md, "Semantics"). The compiler is
// tested against it; the data path runs what the compiler makes.

import { Command } from "../block/request.ts";
import { contains } from "./address.ts";
import type { ConnectionFacts } from "./connection.ts";
import {
  type Action,
  type Condition,
  type Interval,
  otherwiseOf,
  type PeerTest,
  type Program,
} from "./program.ts";

/** What a rule can ask about one request, besides ConnectionFacts. */
export interface Subject {
  /** A command that policies see (COMMANDS). */
  command: number;
  flags: number;
  /** Bytes; `offset` + `length` is at most 2^63-1. Both are 0 for a flush and for an ioctl. */
  offset: bigint;
  length: bigint;
  /** 0 is Monday. */
  weekday: number;
  /** Seconds since midnight. */
  second: number;
}

/** What is done with a request, and by which rules (indices; -1 stands for the default). */
export interface Decision {
  action: Action;
  rule: number;
  logs: number[];
}

/** Decides about a request: the first rule that is about it and does not just log. */
export function decide(program: Program, subject: Subject, facts: ConnectionFacts): Decision {
  const logs: number[] = [];
  for (const [rule, { action, commands, when }] of program.rules.entries()) {
    if ((commands >> subject.command & 1) === 0 || !holds(when, subject, facts)) continue;
    if (action.kind !== "log") return { action, rule, logs };
    logs.push(rule);
  }
  return { action: otherwiseOf(program, subject.command), rule: -1, logs };
}

/** Whether `condition` holds for a request of a client. */
export function holds(condition: Condition, subject: Subject, facts: ConnectionFacts): boolean {
  switch (condition.kind) {
    case "constant":
      return condition.value;
    case "and":
      return condition.of.every((part) => holds(part, subject, facts));
    case "or":
      return condition.of.some((part) => holds(part, subject, facts));
    case "not":
      return !holds(condition.of, subject, facts);
    case "command":
      return (condition.mask >> subject.command & 1) === 1;
    case "flags":
      if (condition.how === "has") return (subject.flags & condition.mask) !== 0;
      return (subject.flags & ~condition.mask) === 0;
    case "number":
      return isIn(numberOf(condition.field, subject), condition.of);
    case "range":
      return condition.how === "in"
        ? isCovered(subject, condition.of)
        : overlaps(subject, condition.of);
    case "aligned": {
      const { offset, length } = subject;
      if (condition.field !== "range") {
        return numberOf(condition.field, subject) % condition.size === 0n;
      }
      return offset % condition.size === 0n && length % condition.size === 0n;
    }
    case "time":
      return condition.of.some(({ low, high }) => low <= subject.second && subject.second <= high);
    case "weekday":
      return (condition.mask >> subject.weekday & 1) === 1;
    default:
      return holdsForPeer(condition, facts);
  }
}

/** Whether a test holds for a client. One about something that the client does not have does not. */
export function holdsForPeer(test: PeerTest, facts: ConnectionFacts): boolean {
  switch (test.kind) {
    case "id": {
      const { uid, gid, pid } = facts;
      const id = { "peer.uid": uid, "peer.gid": gid, "peer.pid": pid }[test.field];
      return id !== null && isIn(BigInt(id), test.of);
    }
    case "text": {
      const text = test.field === "export" ? facts.exportName : facts.tlsIdentity;
      if (text === null) return false;
      if (test.how === "in") return test.of.includes(text);
      return test.of.some((pattern) => matches(pattern, text));
    }
    case "address": {
      const { address } = facts;
      return address !== null && test.of.some((block) => contains(block, address));
    }
    case "transport":
      return (test.mask & facts.transport) !== 0;
  }
}

function numberOf(field: "offset" | "length" | "end", { offset, length }: Subject): bigint {
  return field === "offset" ? offset : field === "length" ? length : offset + length;
}

function isIn(value: bigint, intervals: readonly Interval[]): boolean {
  return intervals.some(({ low, high }) => low <= value && value <= high);
}

/** Whether every byte of the request is in one of `intervals`. */
function isCovered({ offset, length }: Subject, intervals: readonly Interval[]): boolean {
  const end = offset + length;
  let covered = offset;
  while (covered < end) {
    const next = intervals.find(({ low, high }) => low <= covered && covered <= high);
    if (!next) return false;
    covered = next.high + 1n;
  }
  return true;
}

/** Whether one byte of the request is in one of `intervals`. */
function overlaps({ offset, length }: Subject, intervals: readonly Interval[]): boolean {
  return intervals.some(({ low, high }) => length > 0n && offset <= high && low < offset + length);
}

/** Whether `text` is like `pattern`, in which `*` stands for any characters and `?` for one. */
export function matches(pattern: string, text: string): boolean {
  const wanted = [...pattern];
  const given = [...text];
  let [w, g, star, resume] = [0, 0, -1, 0];
  // The last star takes as little as possible and more whenever the rest does not fit.
  while (g < given.length) {
    if (wanted[w] === "*") [star, resume, w] = [w, g, w + 1];
    else if (wanted[w] === "?" || wanted[w] === given[g]) [w, g] = [w + 1, g + 1];
    else if (star >= 0) [w, g, resume] = [star + 1, resume + 1, resume + 1];
    else return false;
  }
  while (wanted[w] === "*") w++;
  return w === wanted.length;
}

/** Whether offset and length of a command mean nothing, and are 0 as policies see them. */
export function isWithoutRange(command: number): boolean {
  return command === Command.Flush || command === Command.Ioctl;
}
