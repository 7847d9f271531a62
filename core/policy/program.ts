// SPDX-License-Identifier: MIT
// A policy that was checked: rules in order, with conditions whose names and types are resolved. Plain
// data that can be sent to other threads. What it means is in interpret.ts and docs/policy.md.

import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import type { AddressBlock } from "./address.ts";

/** All values from `low` to `high`, both included. */
export interface Interval {
  readonly low: bigint;
  readonly high: bigint;
}

/** Fields whose values are numbers. */
export type RequestNumber = "offset" | "length" | "end";
export type PeerNumber = "peer.uid" | "peer.gid" | "peer.pid";
export type TextField = "export" | "tls.identity";

/** A condition. Masks have a bit per command, flag, transport or weekday. */
export type Condition =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "and" | "or"; readonly of: readonly Condition[] }
  | { readonly kind: "not"; readonly of: Condition }
  | RequestTest
  | ClockTest
  | PeerTest;

/** What has to be looked at for each request. */
export type RequestTest =
  | { readonly kind: "command"; readonly mask: number }
  | { readonly kind: "flags"; readonly how: "has" | "in"; readonly mask: number }
  | { readonly kind: "number"; readonly field: RequestNumber; readonly of: readonly Interval[] }
  | { readonly kind: "range"; readonly how: "in" | "overlaps"; readonly of: readonly Interval[] }
  | {
    readonly kind: "aligned";
    readonly field: RequestNumber | "range";
    /** A power of two. */
    readonly size: bigint;
  };

/** What depends on the clock. Times are seconds since midnight. */
export type ClockTest =
  | { readonly kind: "time"; readonly of: readonly { low: number; high: number }[] }
  | { readonly kind: "weekday"; readonly mask: number };

/** What is known when the client has connected. */
export type PeerTest =
  | { readonly kind: "id"; readonly field: PeerNumber; readonly of: readonly Interval[] }
  | {
    readonly kind: "text";
    readonly field: TextField;
    /** `like`: with `*` for any characters and `?` for one. */
    readonly how: "in" | "like";
    readonly of: readonly string[];
  }
  | { readonly kind: "address"; readonly of: readonly AddressBlock[] }
  | { readonly kind: "transport"; readonly mask: number };

/** What is done with a request. */
export interface Action {
  readonly kind: "allow" | "errno" | "log" | "kill";
  /** Of the kind `errno`: 1 to 133; else 0. */
  readonly errno: number;
}

/** A rule. It is about a request if `commands` has its bit and `when` holds. */
export interface Rule {
  readonly action: Action;
  readonly commands: number;
  readonly when: Condition;
  /** Where it begins. */
  readonly line: number;
}

/** See the top of this file. */
export interface Program {
  readonly rules: readonly Rule[];
  /** What is done where no rule decides; not `log`. */
  readonly otherwise: Action;
  /** Line of the default. */
  readonly otherwiseLine: number;
  /** Which clock `time` and `weekday` are about. */
  readonly timezone: "utc" | "local";
}

/** Bits of all commands that policies see. */
export const COMMANDS_ALL = 0b11111011 | 1 << Command.SecureErase | 1 << Command.Ioctl;

const REFUSED: Action = { kind: "errno", errno: Errno.EPERM };

/** Whether a command came later than the language: what does not name it has not thought of it. */
export function isLater(command: number): boolean {
  return command === Command.SecureErase || command === Command.Ioctl;
}

/** What is done with a command where no rule decides. To allow has to be said of later ones. */
export function otherwiseOf({ otherwise }: Program, command: number): Action {
  return otherwise.kind === "allow" && isLater(command) ? REFUSED : otherwise;
}
export const ALWAYS: Condition = { kind: "constant", value: true };
export const NEVER: Condition = { kind: "constant", value: false };

/** Largest offset, length and end. */
export const BYTES_MAX = 2n ** 63n - 1n;
export const ID_MAX = 2n ** 32n - 1n;
export const DAY_SECONDS = 86400;

/** Whether `test` holds for every part of `condition` that is not `and`, `or` or `not`. */
export function every(condition: Condition, test: (leaf: Condition) => boolean): boolean {
  if (condition.kind === "and" || condition.kind === "or") {
    return condition.of.every((part) => every(part, test));
  }
  return condition.kind === "not" ? every(condition.of, test) : test(condition);
}

/** Whether a leaf is known when the client has connected. */
export function isPeerTest(leaf: Condition): leaf is PeerTest {
  return leaf.kind === "id" || leaf.kind === "text" || leaf.kind === "address" ||
    leaf.kind === "transport";
}

/** Whether a leaf depends on the clock. */
export function isClockTest(leaf: Condition): leaf is ClockTest {
  return leaf.kind === "time" || leaf.kind === "weekday";
}
