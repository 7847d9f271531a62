// SPDX-License-Identifier: MIT
// Checks one test of a condition: does the field have the operator, do the values have its type. All
// comparisons become membership in sets here.

import { quoted } from "../plugin/text.ts";
import type { Definitions } from "./definitions.ts";
import { StatementError } from "./diagnostic.ts";
import {
  BYTES_MAX,
  type Condition,
  DAY_SECONDS,
  ID_MAX,
  type Interval,
  NEVER,
  type PeerNumber,
  type RequestNumber,
  type TextField,
} from "./program.ts";
import type { ExprNode } from "./syntax.ts";
import { time } from "./values.ts";
import { type Field, FIELDS } from "./vocabulary.ts";

type TestNode = Extract<ExprNode, { kind: "test" }>;

/** The condition that `node` is. Throws StatementError. */
export function checkTest(node: TestNode, definitions: Definitions): Condition {
  const { operator } = node;
  const field = FIELDS.get(node.field.text)!;
  if (!field.operators.includes(operator.text)) {
    const known = field.operators.join(" ");
    throw new StatementError(
      operator,
      `${node.field.text} cannot be tested with ${quoted(operator.text)}; it knows ${known}`,
    );
  }
  if (isComparison(operator.text)) requireOne(node);
  const condition = conditionOf(node, field, definitions);
  const negated = node.negated || operator.text === "!=";
  return negated ? { kind: "not", of: condition } : condition;
}

function isComparison(operator: string): boolean {
  return /^[=!<>]/.test(operator) || operator === "aligned";
}

/** A comparison has one value on its right side: `offset < 4K, 8K` has no clear meaning. */
function requireOne({ operator, items }: TestNode): void {
  if (items.length === 1 && items[0]!.kind !== "range") return;
  throw new StatementError(operator, `${quoted(operator.text)} takes one value; a set needs "in"`);
}

function conditionOf(node: TestNode, field: Field, definitions: Definitions): Condition {
  const { operator: { text: operator }, items } = node;
  const name = node.field.text;
  switch (field.type) {
    case "command":
      return { kind: "command", mask: definitions.mask(items, "command") };
    case "flag": {
      const how = operator === "has" ? "has" : "in";
      return { kind: "flags", how, mask: definitions.mask(items, "flag") };
    }
    case "bytes":
      return bytesTest(node, definitions);
    case "id": {
      const of = intervals(node, ID_MAX, definitions.numbers(items, "id"));
      return of.length === 0 ? NEVER : { kind: "id", field: name as PeerNumber, of };
    }
    case "string": {
      const how = operator === "like" ? "like" : "in";
      return { kind: "text", field: name as TextField, how, of: definitions.strings(items) };
    }
    case "address":
      return { kind: "address", of: definitions.addresses(items) };
    case "transport":
      return { kind: "transport", mask: definitions.mask(items, "transport") };
    case "time":
      return timeTest(node, definitions);
    case "weekday":
      return { kind: "weekday", mask: definitions.mask(items, "weekday") };
  }
}

function bytesTest(node: TestNode, definitions: Definitions): Condition {
  const { operator: { text: operator }, items, field: { text: name } } = node;
  if (operator === "aligned") {
    return {
      kind: "aligned",
      field: name as RequestNumber | "range",
      size: alignment(node, definitions),
    };
  }
  const of = intervals(node, BYTES_MAX, definitions.numbers(items, "bytes"));
  if (name === "range") return { kind: "range", how: operator === "in" ? "in" : "overlaps", of };
  return of.length === 0 ? NEVER : { kind: "number", field: name as RequestNumber, of };
}

/** The numbers for which the test holds. */
function intervals(node: TestNode, largest: bigint, elements: Interval[]): Interval[] {
  const operator = node.operator.text;
  if (!/^[<>]/.test(operator)) return elements;
  const value = only(node, elements);
  const low = operator === ">" ? value + 1n : operator === ">=" ? value : 0n;
  const high = operator === "<" ? value - 1n : operator === "<=" ? value : largest;
  return low <= high ? [{ low, high }] : [];
}

/** The one number that a name or a value stands for. */
function only({ operator }: TestNode, [first, second]: readonly Interval[]): bigint {
  if (!second && first!.low === first!.high) return first!.low;
  throw new StatementError(operator, `${quoted(operator.text)} takes one value, not a set`);
}

function timeTest({ operator, items }: TestNode, definitions: Definitions): Condition {
  if (operator.text === "in") return { kind: "time", of: definitions.times(items) };
  const [item] = items;
  if (item!.kind !== "value") throw new StatementError(operator, "a time is compared with a time");
  const moment = time(item!.value);
  const [low, high] = operator.text === "<" ? [0, moment - 1] : [moment, DAY_SECONDS - 1];
  return low <= high ? { kind: "time", of: [{ low, high }] } : NEVER;
}

function alignment(node: TestNode, definitions: Definitions): bigint {
  const size = only(node, definitions.numbers(node.items, "bytes"));
  if (size > 0n && (size & (size - 1n)) === 0n) return size;
  throw new StatementError(node.operator, `an alignment is a power of two, which ${size} is not`);
}
