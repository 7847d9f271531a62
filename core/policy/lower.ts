// SPDX-License-Identifier: MIT
// From a program to what is compiled: per command a chain of rules, in which everything that is known
// about the command is decided and everything about the client is one bit of the context.

import { COMMANDS_END } from "../block/request.ts";
import { PolicyError } from "./diagnostic.ts";
import { isWithoutRange } from "./interpret.ts";
import { CONDITIONS_MAX } from "./module.ts";
import {
  type Action,
  ALWAYS,
  BYTES_MAX,
  type Condition,
  every,
  type Interval,
  isPeerTest,
  NEVER,
  otherwiseOf,
  type Program,
} from "./program.ts";
import { COMMANDS } from "./vocabulary.ts";

/** A condition with a bit of the context in place of what is known about the client. */
export type Lowered =
  | Exclude<Condition, { kind: "and" | "or" | "not" }>
  | { readonly kind: "and" | "or"; readonly of: readonly Lowered[] }
  | { readonly kind: "not"; readonly of: Lowered }
  | { readonly kind: "context"; readonly bit: number };

/** A rule of a chain. `rule` is its index in the program, -1 for the default. */
export interface Link {
  readonly rule: number;
  readonly action: Action;
  readonly when: Lowered;
}

/** What is compiled. */
export interface LoweredProgram {
  /** By command; the last link always applies. Null for commands that policies do not see. */
  readonly chains: readonly (readonly Link[] | null)[];
  /** The conditions that the bits of the context stand for. */
  readonly conditions: readonly Condition[];
}

/** Lowers a program. Throws PolicyError when it asks too much about clients. */
export function lower(program: Program): LoweredProgram {
  const contexts = new Contexts();
  const whens = program.rules.map(({ when, line }) => {
    const lowered = contexts.extract(positive(when, false));
    if (contexts.conditions.length <= CONDITIONS_MAX) return lowered;
    const message = `more than ${CONDITIONS_MAX} different conditions about clients; ` +
      "sets make one condition of several";
    throw new PolicyError([{ severity: "error", line, column: 1, message }]);
  });
  const seen = new Set(COMMANDS.values());
  const chains = Array.from({ length: COMMANDS_END }, (_, command) => {
    const last: Link = { rule: -1, action: otherwiseOf(program, command), when: ALWAYS };
    return seen.has(command) ? chainOf(program, whens, command, last) : null;
  });
  return { chains, conditions: contexts.conditions };
}

function chainOf(program: Program, whens: readonly Lowered[], command: number, last: Link): Link[] {
  const chain: Link[] = [];
  for (const [rule, { action, commands }] of program.rules.entries()) {
    if ((commands >> command & 1) === 0) continue;
    const when = specialize(whens[rule]!, command);
    if (isConstant(when, false)) continue;
    chain.push({ rule, action, when });
    if (isConstant(when, true) && action.kind !== "log") return chain;
  }
  return [...chain, last];
}

function isConstant(condition: Lowered, value: boolean): boolean {
  return condition.kind === "constant" && condition.value === value;
}

/** The condition, or its negation, with `not` only in front of tests, and intervals in order. */
function positive(condition: Condition, negate: boolean): Condition {
  switch (condition.kind) {
    case "not":
      return positive(condition.of, !negate);
    case "and":
    case "or": {
      const kind = negate === (condition.kind === "and") ? "or" : "and";
      const of = condition.of.map((part) => positive(part, negate));
      return { kind, of: of.flatMap((part) => part.kind === kind ? part.of : [part]) };
    }
    case "constant":
      return condition.value === negate ? NEVER : ALWAYS;
    case "command":
      return { ...condition, mask: negate ? ~condition.mask : condition.mask };
    case "weekday":
      return { ...condition, mask: (negate ? ~condition.mask : condition.mask) & 0x7f };
    case "number": {
      const of = merge(condition.of);
      return { ...condition, of: negate ? complement(of) : of };
    }
    case "range": {
      const test = { ...condition, of: merge(condition.of) };
      return negate ? { kind: "not", of: test } : test;
    }
    default:
      return negate ? { kind: "not", of: condition } : condition;
  }
}

/** Intervals in ascending order with something between each two. */
export function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => a.low < b.low ? -1 : a.low > b.low ? 1 : 0)) {
    const last = merged.at(-1);
    if (!last || next.low > last.high + 1n) merged.push(next);
    else if (next.high > last.high) merged[merged.length - 1] = { low: last.low, high: next.high };
  }
  return merged;
}

function complement(merged: readonly Interval[]): Interval[] {
  const gaps: Interval[] = [];
  let low = 0n;
  for (const interval of merged) {
    if (low < interval.low) gaps.push({ low, high: interval.low - 1n });
    low = interval.high + 1n;
  }
  return low <= BYTES_MAX ? [...gaps, { low, high: BYTES_MAX }] : gaps;
}

/** The bits of the context and what they stand for. */
class Contexts {
  readonly conditions: Condition[] = [];
  readonly #bits = new Map<string, number>();

  /** Replaces everything that is about the client alone. */
  extract(condition: Condition): Lowered {
    if (isAboutPeer(condition)) return this.#bit(condition);
    if (condition.kind === "not") return { kind: "not", of: this.extract(condition.of) };
    if (condition.kind !== "and" && condition.kind !== "or") return condition;
    const { kind, of } = condition;
    const peer = of.filter(isAboutPeer);
    const rest = of.filter((part) => !isAboutPeer(part)).map((part) => this.extract(part));
    if (peer.length === 0) return { kind, of: rest };
    const whole: Condition = peer.length === 1 ? peer[0]! : { kind, of: peer };
    return { kind, of: [this.#bit(whole), ...rest] };
  }

  #bit(condition: Condition): Lowered {
    const key = JSON.stringify(condition, (_, value) => {
      return typeof value === "bigint" ? `${value}` : value;
    });
    let bit = this.#bits.get(key);
    if (bit === undefined) {
      bit = this.conditions.push(condition) - 1;
      this.#bits.set(key, bit);
    }
    return { kind: "context", bit };
  }
}

function isAboutPeer(condition: Condition): boolean {
  return condition.kind !== "constant" && every(condition, isPeerTest);
}

/** The condition for requests with one command, without the parts that are decided by that. */
export function specialize(condition: Lowered, command: number): Lowered {
  switch (condition.kind) {
    case "command":
      return (condition.mask >> command & 1) === 1 ? ALWAYS : NEVER;
    case "not": {
      const of = specialize(condition.of, command);
      if (of.kind === "constant") return of.value ? NEVER : ALWAYS;
      return { kind: "not", of };
    }
    case "and":
    case "or": {
      const decisive = condition.kind === "or";
      const of = condition.of.map((part) => specialize(part, command))
        .filter((part) => !isConstant(part, !decisive));
      if (of.some((part) => isConstant(part, decisive))) return decisive ? ALWAYS : NEVER;
      if (of.length === 0) return decisive ? NEVER : ALWAYS;
      return of.length === 1 ? of[0]! : { kind: condition.kind, of };
    }
    default:
      return decided(condition, isWithoutRange(command)) ?? condition;
  }
}

/** What a test comes to that always or never holds; null where it depends. */
function decided(test: Lowered, withoutRange: boolean): Lowered | null {
  const constant = (value: boolean) => value ? ALWAYS : NEVER;
  switch (test.kind) {
    case "number": {
      const [first] = test.of;
      if (!first) return NEVER;
      if (withoutRange) return constant(first.low === 0n);
      return first.low === 0n && first.high === BYTES_MAX ? ALWAYS : null;
    }
    case "range":
      if (withoutRange) return constant(test.how === "in");
      return test.of.length === 0 && test.how === "overlaps" ? NEVER : null;
    case "aligned":
      return withoutRange || test.size === 1n ? ALWAYS : null;
    case "time":
      return test.of.length === 0 ? NEVER : null;
    case "weekday":
      return test.mask === 0 ? NEVER : test.mask === 0x7f ? ALWAYS : null;
    default:
      return null;
  }
}
