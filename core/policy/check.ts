// SPDX-License-Identifier: MIT
// Resolves names and types: from statements as written to a program. Statements that are wrong are
// reported and left out, so that one run finds what is wrong in all of them.

import { didYouMean } from "../plugin/suggest.ts";
import { quoted } from "../plugin/text.ts";
import { checkTest } from "./check_field.ts";
import { Definitions } from "./definitions.ts";
import { type Diagnostic, type Position, StatementError } from "./diagnostic.ts";
import {
  type Action,
  ALWAYS,
  COMMANDS_ALL,
  type Condition,
  every,
  isPeerTest,
  type Program,
  type Rule,
} from "./program.ts";
import type { ActionNode, ExprNode, StatementNode } from "./syntax.ts";

/** Rules of a policy. */
export const RULES_MAX = 1000;
/** Tests of one condition, counting what names stand for. */
const CONDITION_SIZE_MAX = 10_000;

/** The program of `statements`; what is wrong is added to `diagnostics`. Null where it has errors. */
export function checkPolicy(
  statements: readonly StatementNode[],
  diagnostics: Diagnostic[],
): Program | null {
  const checker = new Checker(diagnostics);
  for (const statement of statements) checker.statement(statement);
  return checker.finish();
}

/** Checks a condition that stands by itself and is known when a client has connected. */
export function checkPeerCondition(node: ExprNode): Condition {
  const condition = checkExpression(node, new Definitions(() => {}));
  if (every(condition, isPeerTest)) return condition;
  throw new StatementError(
    { line: 1, column: 1 },
    "it is not about the client or the export alone",
  );
}

class Checker {
  readonly #diagnostics: Diagnostic[];
  readonly #definitions: Definitions;
  readonly #rules: Rule[] = [];
  #otherwise: { action: Action; line: number } | null = null;
  #timezone: "utc" | "local" | null = null;

  constructor(diagnostics: Diagnostic[]) {
    this.#diagnostics = diagnostics;
    this.#definitions = new Definitions((at, message) => this.#report("warning", at, message));
  }

  statement(node: StatementNode): void {
    try {
      this.#check(node);
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      this.#report("error", error.position, error.message);
    }
  }

  finish(): Program | null {
    this.#definitions.warnOfUnused();
    const otherwise = this.#otherwise;
    if (!otherwise) {
      const message = 'there is no default; write "default errno EPERM" or "default allow"';
      this.#report("error", { line: 1, column: 1 }, message);
      return null;
    }
    if (this.#diagnostics.some(({ severity }) => severity === "error")) return null;
    return {
      rules: this.#rules,
      otherwise: otherwise.action,
      otherwiseLine: otherwise.line,
      timezone: this.#timezone ?? "local",
    };
  }

  #check(node: StatementNode): void {
    switch (node.kind) {
      case "default":
        return this.#default(node.action, node.at);
      case "timezone":
        if (this.#timezone !== null) throw new StatementError(node.at, "timezone is set twice");
        this.#timezone = node.zone;
        return;
      case "let":
        if ("set" in node) return this.#definitions.addSet(node.name, node.set);
        // Known as a name even if it is wrong, so that its uses are not reported too.
        this.#definitions.reserve(node.name);
        return this.#definitions.addCondition(node.name, this.#expression(node.when));
      case "rule":
        return this.#rule(node);
    }
  }

  #default(action: ActionNode, at: Position): void {
    if (action.kind === "log") {
      throw new StatementError(action, "the default cannot be log: something has to be decided");
    }
    if (this.#otherwise) {
      throw new StatementError(at, `there is a default already, in line ${this.#otherwise.line}`);
    }
    this.#otherwise = { action: actionOf(action), line: at.line };
  }

  #rule(node: Extract<StatementNode, { kind: "rule" }>): void {
    const { line, column } = node.action;
    if (this.#rules.length >= RULES_MAX) {
      throw new StatementError({ line, column }, `a policy may have ${RULES_MAX} rules`);
    }
    const commands = node.commands.length === 0
      ? COMMANDS_ALL
      : this.#definitions.mask(node.commands, "command");
    const when = node.when === null ? ALWAYS : this.#expression(node.when);
    this.#rules.push({ action: actionOf(node.action), commands, when, line });
  }

  #expression(node: ExprNode): Condition {
    return checkExpression(node, this.#definitions);
  }

  #report(severity: Diagnostic["severity"], { line, column }: Position, message: string): void {
    this.#diagnostics.push({ severity, line, column, message });
  }
}

function actionOf({ kind, errno }: ActionNode): Action {
  return { kind, errno };
}

const sizes = new WeakMap<Condition, number>();

/** Tests of a condition. What names stand for is shared, so it is counted once and remembered. */
function sizeOf(condition: Condition): number {
  let size = sizes.get(condition);
  if (size !== undefined) return size;
  size = 1;
  if (condition.kind === "and" || condition.kind === "or") {
    for (const part of condition.of) size += sizeOf(part);
  } else if (condition.kind === "not") size += sizeOf(condition.of);
  else if ("of" in condition) size += condition.of.length;
  sizes.set(condition, size);
  return size;
}

function checkExpression(node: ExprNode, definitions: Definitions): Condition {
  switch (node.kind) {
    case "and":
    case "or": {
      const of = node.of.map((part) => checkExpression(part, definitions));
      return bounded({ kind: node.kind, of }, node);
    }
    case "not":
      return bounded({ kind: "not", of: checkExpression(node.of, definitions) }, node);
    case "name": {
      const found = definitions.condition(node.name);
      if (found) return found;
      const meant = didYouMean(node.name.text, definitions.names());
      throw new StatementError(
        node.name,
        definitions.has(node.name.text)
          ? `${quoted(`$${node.name.text}`)} is a set; test something with it: offset in $...`
          : `there is no ${quoted(`$${node.name.text}`)} above${meant}`,
      );
    }
    case "test":
      return bounded(checkTest(node, definitions), node);
  }
}

function bounded(condition: Condition, node: ExprNode): Condition {
  if (sizeOf(condition) <= CONDITION_SIZE_MAX) return condition;
  throw new StatementError(
    positionOf(node),
    `the condition has more than ${CONDITION_SIZE_MAX} tests in all`,
  );
}

function positionOf(node: ExprNode): Position {
  switch (node.kind) {
    case "test":
      return node.field;
    case "name":
      return node.name;
    case "not":
      return positionOf(node.of);
    default:
      return positionOf(node.of[0]!);
  }
}
