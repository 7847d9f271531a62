// SPDX-License-Identifier: MIT
// The names of a policy: sets and conditions that `let` defines, each usable below its definition. So
// nothing can refer to itself, and what a name stands for is bounded.

import { didYouMean } from "../plugin/suggest.ts";
import { quoted } from "../plugin/text.ts";
import type { AddressBlock } from "./address.ts";
import { type Position, StatementError } from "./diagnostic.ts";
import type { Condition, Interval } from "./program.ts";
import type { ItemNode } from "./syntax.ts";
import type { Token } from "./tokens.ts";
import {
  address,
  bits,
  type LiteralNode,
  numbers,
  string,
  times,
  typesOf,
  weekdays,
} from "./values.ts";
import { TYPE_NAMES, type ValueType } from "./vocabulary.ts";

/** Elements of one set, counting what names stand for. */
const ELEMENTS_MAX = 4096;

type Definition =
  & { readonly at: Position; used: boolean }
  & (
    | { readonly kind: "set"; readonly items: readonly LiteralNode[]; readonly types: ValueType[] }
    | { readonly kind: "condition"; readonly condition: Condition }
    | { readonly kind: "wrong" }
  );

/** See the top of this file. */
export class Definitions {
  readonly #names = new Map<string, Definition>();
  readonly #warn: (at: Position, message: string) => void;

  constructor(warn: (at: Position, message: string) => void) {
    this.#warn = warn;
  }

  names(): Iterable<string> {
    return this.#names.keys();
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Takes the name, with nothing that it could stand for yet. */
  reserve(name: Token): void {
    const { line, column, text } = name;
    const former = this.#names.get(text);
    if (former) {
      const where = `line ${former.at.line}`;
      throw new StatementError({ line, column }, `${quoted(text)} is defined already, in ${where}`);
    }
    this.#names.set(text, { kind: "wrong", at: { line, column }, used: false });
  }

  /** Defines a condition under a name that is reserved. */
  addCondition({ text, line, column }: Token, condition: Condition): void {
    const at = { line, column };
    this.#names.set(text, { kind: "condition", at, condition, used: false });
  }

  /** Defines a set, or another name for a condition. */
  addSet(name: Token, items: readonly ItemNode[]): void {
    this.reserve(name);
    const at = { line: name.line, column: name.column };
    const [only] = items;
    if (items.length === 1 && only!.kind === "name") {
      const definition = this.#find(only!.name);
      this.#names.set(name.text, { ...definition, at, used: false });
      return;
    }
    const literals = this.#expand(items);
    const types = this.#types(literals, items[0]!);
    // Values that are wrong are reported where they are defined, used or not.
    for (const literal of literals) check(literal, types[0]!);
    this.#names.set(name.text, { kind: "set", at, items: literals, types, used: false });
  }

  /** The condition that a name stands for; null where it stands for none. */
  condition(name: Token): Condition | null {
    const definition = this.#names.get(name.text);
    if (definition?.kind === "wrong") this.#find(name);
    if (definition?.kind !== "condition") return null;
    definition.used = true;
    return definition.condition;
  }

  /** Elements that are numbers. */
  numbers(items: readonly ItemNode[], type: "bytes" | "id"): Interval[] {
    return this.#elements(items, type).map((item) => numbers(item, type));
  }

  times(items: readonly ItemNode[]): { low: number; high: number }[] {
    return this.#elements(items, "time").flatMap(times);
  }

  strings(items: readonly ItemNode[]): string[] {
    return [...new Set(this.#elements(items, "string").map(string))];
  }

  addresses(items: readonly ItemNode[]): AddressBlock[] {
    return this.#elements(items, "address").map(address);
  }

  /** Elements that have bits, together. */
  mask(items: readonly ItemNode[], type: "command" | "flag" | "transport" | "weekday"): number {
    let mask = 0;
    for (const item of this.#elements(items, type)) {
      mask |= type === "weekday" ? weekdays(item) : bits(item, type);
    }
    return mask;
  }

  warnOfUnused(): void {
    for (const [name, { at, used }] of this.#names) {
      if (!used) this.#warn(at, `${quoted(name)} is defined but not used`);
    }
  }

  #elements(items: readonly ItemNode[], type: ValueType): LiteralNode[] {
    for (const item of items) {
      if (item.kind !== "name") continue;
      const definition = this.#find(item.name);
      if (definition.kind === "set" && definition.types.includes(type)) continue;
      const what = definition.kind === "set" ? definition.types[0]! : null;
      const is = what ? `a set whose elements are like ${TYPE_NAMES[what]}` : "a condition";
      throw new StatementError(
        item.name,
        `${quoted(`$${item.name.text}`)} is ${is}; here ${TYPE_NAMES[type]} is expected`,
      );
    }
    return this.#expand(items);
  }

  #expand(items: readonly ItemNode[]): LiteralNode[] {
    const literals: LiteralNode[] = [];
    for (const item of items) {
      if (item.kind !== "name") literals.push(item);
      else {
        const definition = this.#find(item.name);
        if (definition.kind !== "set") {
          throw new StatementError(item.name, `${quoted(`$${item.name.text}`)} is a condition`);
        }
        literals.push(...definition.items);
      }
      if (literals.length > ELEMENTS_MAX) {
        const at = item.kind === "name" ? item.name : item.kind === "value" ? item.value : item.at;
        throw new StatementError(at, `a set may have ${ELEMENTS_MAX} elements`);
      }
    }
    return literals;
  }

  #find(name: Token): Definition {
    const definition = this.#names.get(name.text);
    if (!definition) {
      const meant = didYouMean(name.text, this.names());
      throw new StatementError(name, `there is no ${quoted(`$${name.text}`)} above${meant}`);
    }
    definition.used = true;
    if (definition.kind !== "wrong") return definition;
    throw new StatementError(name, `${quoted(`$${name.text}`)} is not defined in a usable way`);
  }

  #types(literals: readonly LiteralNode[], first: ItemNode): ValueType[] {
    const types = typesOf(literals[0]!);
    if (types.length > 0) return types;
    const at = first.kind === "value"
      ? first.value
      : first.kind === "range"
      ? first.at
      : first.name;
    throw new StatementError(at, `${quoted(at.text)} is no value`);
  }
}

function check(literal: LiteralNode, type: ValueType): void {
  switch (type) {
    case "bytes":
    case "id":
      return void numbers(literal, type);
    case "time":
      return void times(literal);
    case "weekday":
      return void weekdays(literal);
    case "string":
      return void string(literal);
    case "address":
      return void address(literal);
    default:
      return void bits(literal, type);
  }
}
