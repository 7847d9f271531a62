// SPDX-License-Identifier: MIT
// Parses statements of a policy (docs/policy.md, "Grammar"). One error per statement is reported; the
// next statement is parsed all the same.

import { Errno } from "../block/errno.ts";
import { didYouMean } from "../plugin/suggest.ts";
import { quoted } from "../plugin/text.ts";
import { type Diagnostic, StatementError } from "./diagnostic.ts";
import type { ActionNode, ExprNode, ItemNode, StatementNode } from "./syntax.ts";
import { readStatements, type Statement, type Token } from "./tokens.ts";
import { ERRNO_NAMES, FIELDS, STATEMENT_WORDS, WORD_OPERATORS } from "./vocabulary.ts";

/** Parentheses and `not` within each other. */
const NESTING_MAX = 32;
const COMPARISONS = ["==", "!=", "<", "<=", ">", ">="];

/** The statements of `source`; what is wrong is added to `diagnostics`. */
export function parsePolicy(source: string, diagnostics: Diagnostic[]): StatementNode[] {
  const nodes: StatementNode[] = [];
  for (const statement of readStatements(source, diagnostics)) {
    try {
      nodes.push(new Parser(statement).statement());
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      const { position: { line, column }, message } = error;
      diagnostics.push({ severity: "error", line, column, message });
    }
  }
  return nodes;
}

/** A condition by itself, as in a module's manifest. Throws StatementError. */
export function parseCondition(source: string): ExprNode {
  const diagnostics: Diagnostic[] = [];
  const [statement, second] = readStatements(source, diagnostics);
  const [wrong] = diagnostics;
  if (wrong) throw new StatementError(wrong, wrong.message);
  if (!statement || second) throw new StatementError({ line: 1, column: 1 }, "not one condition");
  return new Parser(statement).onlyCondition();
}

class Parser {
  readonly #tokens: Statement;
  #at = 0;
  #nesting = 0;

  constructor(tokens: Statement) {
    this.#tokens = tokens;
  }

  statement(): StatementNode {
    const node = this.#statement();
    this.#finish();
    return node;
  }

  onlyCondition(): ExprNode {
    const node = this.#or();
    this.#finish();
    return node;
  }

  #statement(): StatementNode {
    const first = this.#next();
    if (first.kind !== "word") this.#fail(first, `expected a statement, not ${shown(first)}`);
    switch (first.text) {
      case "default":
        return { kind: "default", at: first, action: this.#action(this.#next()) };
      case "timezone":
        return { kind: "timezone", at: first, zone: this.#zone() };
      case "let":
        return this.#let();
      case "allow":
      case "errno":
      case "log":
      case "kill":
        return this.#rule(first);
      default:
        this.#fail(
          first,
          `unknown statement ${shown(first)}${didYouMean(first.text, STATEMENT_WORDS)}`,
        );
    }
  }

  #action(token: Token): ActionNode {
    const { line, column, text } = token;
    if (token.kind === "word") {
      if (text === "errno") return { kind: "errno", errno: this.#errno(), line, column };
      if (text === "allow" || text === "log" || text === "kill") {
        return { kind: text, errno: 0, line, column };
      }
    }
    const meant = didYouMean(text, ["allow", "errno", "kill"]);
    this.#fail(token, `expected allow, errno or kill, not ${shown(token)}${meant}`);
  }

  #errno(): number {
    const token = this.#next();
    const errno = Object.hasOwn(Errno, token.text) ? Errno[token.text as keyof typeof Errno] : 0;
    if (token.kind === "word" && errno !== 0) return errno;
    const meant = token.kind === "word" ? didYouMean(token.text, ERRNO_NAMES) : "";
    this.#fail(token, `expected the name of an error such as EPERM, not ${shown(token)}${meant}`);
  }

  #zone(): "utc" | "local" {
    const token = this.#next();
    if (token.text === "utc" || token.text === "local") return token.text;
    this.#fail(token, `expected utc or local, not ${shown(token)}`);
  }

  #let(): StatementNode {
    const name = this.#next();
    if (name.kind !== "word" || !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name.text)) {
      this.#fail(name, `expected a name of letters, digits, - and _, not ${shown(name)}`);
    }
    this.#expect("=");
    if (this.#isCondition()) return { kind: "let", name, when: this.#or() };
    return { kind: "let", name, set: this.#items() };
  }

  /** Whether what follows `=` is a condition rather than a set. */
  #isCondition(): boolean {
    const [first, second] = [this.#peek(), this.#peek(1)];
    if (first.kind === "symbol") return first.text === "(";
    if (first.kind === "name") return isWord(second, "and", "or");
    if (first.kind !== "word") return false;
    if (first.text === "not" || FIELDS.has(first.text)) return true;
    return isWord(second, "not", ...WORD_OPERATORS) ||
      second.kind === "symbol" && COMPARISONS.includes(second.text);
  }

  #rule(first: Token): StatementNode {
    const action = this.#action(first);
    const next = this.#peek();
    const commands = next.kind === "end" || isWord(next, "if") ? [] : this.#items();
    let when = null;
    if (this.#accept("if")) when = this.#or();
    return { kind: "rule", action, commands, when };
  }

  #or(): ExprNode {
    const of = [this.#and()];
    while (this.#accept("or")) of.push(this.#and());
    return of.length === 1 ? of[0]! : { kind: "or", of };
  }

  #and(): ExprNode {
    const of = [this.#not()];
    while (this.#accept("and")) of.push(this.#not());
    return of.length === 1 ? of[0]! : { kind: "and", of };
  }

  #not(): ExprNode {
    const token = this.#peek();
    if (++this.#nesting > NESTING_MAX) {
      this.#fail(token, `conditions may be nested ${NESTING_MAX} deep`);
    }
    let node: ExprNode;
    if (this.#accept("not")) node = { kind: "not", of: this.#not() };
    else if (this.#accept("(")) {
      node = this.#or();
      this.#expect(")");
    } else if (token.kind === "name") node = { kind: "name", name: this.#next() };
    else node = this.#test();
    this.#nesting--;
    return node;
  }

  #test(): ExprNode {
    const field = this.#next();
    if (field.kind !== "word" || !FIELDS.has(field.text)) {
      const meant = field.kind === "word" ? didYouMean(field.text, FIELDS.keys()) : "";
      this.#fail(field, `expected something to test, such as offset, not ${shown(field)}${meant}`);
    }
    const negated = this.#accept("not");
    const operator = this.#next();
    const known = operator.kind === "word" ? WORD_OPERATORS : COMPARISONS;
    if (operator.kind === "string" || !known.includes(operator.text)) {
      const { operators } = FIELDS.get(field.text)!;
      this.#fail(operator, `expected one of ${operators.join(" ")}, not ${shown(operator)}`);
    }
    if (negated && operator.kind === "symbol") {
      this.#fail(
        operator,
        `"not" stands before a word such as "in", not before ${shown(operator)}`,
      );
    }
    return { kind: "test", field, operator, negated, items: this.#items() };
  }

  #items(): ItemNode[] {
    const items = [this.#item()];
    while (this.#accept(",")) items.push(this.#item());
    return items;
  }

  #item(): ItemNode {
    const token = this.#peek();
    if (token.kind === "name") return { kind: "name", name: this.#next() };
    const low = token.kind === "symbol" && token.text === ".." ? null : this.#value();
    const at = this.#peek();
    if (at.kind === "symbol" && (at.text === ".." || at.text === "..+")) {
      this.#next();
      const open = at.text === ".." && low !== null && !isValue(this.#peek());
      const high = open ? null : this.#value();
      return { kind: "range", how: at.text, low, high, at };
    }
    if (isWord(at, "to")) {
      this.#next();
      return { kind: "range", how: "to", low, high: this.#value(), at };
    }
    return { kind: "value", value: low! };
  }

  #value(): Token {
    const token = this.#next();
    if (isValue(token)) return token;
    this.#fail(token, `expected a value, not ${shown(token)}`);
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? this.#tokens.at(-1)!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }

  #accept(text: string): boolean {
    const token = this.#peek();
    if (token.text !== text || token.kind !== "word" && token.kind !== "symbol") return false;
    this.#at++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#accept(symbol)) {
      this.#fail(this.#peek(), `expected "${symbol}", not ${shown(this.#peek())}`);
    }
  }

  #finish(): void {
    const token = this.#peek();
    if (token.kind === "end") return;
    const meant = token.kind === "word" ? didYouMean(token.text, ["if", "and", "or"]) : "";
    this.#fail(token, `expected the end of the statement, not ${shown(token)}${meant}`);
  }

  #fail(token: Token, message: string): never {
    throw new StatementError({ line: token.line, column: token.column }, message);
  }
}

const KEYWORDS = ["and", "or", "not", "if", "to", ...WORD_OPERATORS];

function isValue(token: Token): boolean {
  return token.kind === "string" || token.kind === "word" && !KEYWORDS.includes(token.text);
}

function isWord(token: Token, ...words: string[]): boolean {
  return token.kind === "word" && words.includes(token.text);
}

function shown(token: Token): string {
  if (token.kind === "end") return "the end of the statement";
  return quoted(token.kind === "name" ? `$${token.text}` : token.text);
}
