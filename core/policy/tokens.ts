// SPDX-License-Identifier: MIT
// Splits a policy into statements and these into tokens (docs/policy.md, "Form"). A statement begins
// in the first column; lines that begin with blanks go on with it. `#` begins a comment.

import { oneLine } from "../plugin/text.ts";
import { type Diagnostic, type Position, StatementError } from "./diagnostic.ts";

/** Longest policy in UTF-16 units, and most tokens that one statement may have. */
export const SOURCE_LENGTH_MAX = 256 * 1024;
const TOKENS_MAX = 16384;

/** `word`: bare text such as `read`, `4K`, `10.0.0.0/8`; `name`: `$scratch`; `string`: "text". */
export interface Token extends Position {
  readonly kind: "word" | "name" | "string" | "symbol" | "end";
  /** As it means: without `$` and quotes. Empty at the end of a statement. */
  readonly text: string;
}

/** The tokens of one statement, ended by one of the kind `end`. */
export type Statement = readonly Token[];

const SYMBOLS = ["..+", "..", "==", "!=", "<=", ">=", "<", ">", "=", "(", ")", ",", "$"];
const WORD = /(?:(?!\.\.)[A-Za-z0-9_.:/%-])+/y;
const ESCAPES: Record<string, string> = { '"': '"', "\\": "\\", n: "\n", t: "\t" };

/** The statements of `source`; what cannot be read is added to `diagnostics`. */
export function readStatements(source: string, diagnostics: Diagnostic[]): Statement[] {
  if (source.length > SOURCE_LENGTH_MAX) {
    const message = `the file is longer than ${SOURCE_LENGTH_MAX} characters`;
    diagnostics.push({ severity: "error", line: 1, column: 1, message });
    return [];
  }
  const statements: Statement[] = [];
  for (const lines of groupLines(source)) {
    try {
      const tokens = lines.flatMap(({ text, line }) => readLine(text, line));
      const [first] = tokens;
      if (!first) continue;
      const last = lines.at(-1)!;
      if (first.column !== 1) {
        throw new StatementError(first, "an indented line goes on with a statement; there is none");
      }
      if (tokens.length > TOKENS_MAX) {
        throw new StatementError(first, `the statement has more than ${TOKENS_MAX} words`);
      }
      statements.push([...tokens, endAfter(last.text, last.line)]);
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      const { position: { line, column }, message } = error;
      diagnostics.push({ severity: "error", line, column, message });
    }
  }
  return statements;
}

interface Line {
  text: string;
  line: number;
}

function groupLines(source: string): Line[][] {
  const groups: Line[][] = [];
  source.split(/\r?\n/).forEach((text, index) => {
    const line = { text, line: index + 1 };
    const empty = /^[ \t]*(#.*)?$/.test(text);
    if (/^[ \t]/.test(text) && groups.length > 0) groups.at(-1)!.push(line);
    else if (!empty) groups.push([line]);
  });
  return groups;
}

function readLine(text: string, line: number): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    const position = { line, column: at + 1 };
    if (character === "#") break;
    if (character === " " || character === "\t") {
      at++;
    } else if (character === '"') {
      const { value, end } = readString(text, at, position);
      tokens.push({ kind: "string", text: value, ...position });
      at = end;
    } else {
      const token = readToken(text, at, position);
      tokens.push(token);
      at += token.text.length + (token.kind === "name" ? 1 : 0);
    }
  }
  return tokens;
}

function readToken(text: string, at: number, position: Position): Token {
  const name = text[at] === "$";
  WORD.lastIndex = name ? at + 1 : at;
  const word = WORD.exec(text)?.[0];
  if (word !== undefined) return { kind: name ? "name" : "word", text: word, ...position };
  if (name) throw new StatementError(position, '"$" without a name');
  const symbol = SYMBOLS.find((symbol) => text.startsWith(symbol, at));
  if (symbol !== undefined) return { kind: "symbol", text: symbol, ...position };
  const character = String.fromCodePoint(text.codePointAt(at)!);
  throw new StatementError(position, `unexpected character ${oneLine(JSON.stringify(character))}`);
}

function readString(text: string, from: number, position: Position) {
  let value = "";
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') return { value, end: at + 1 };
    if (character !== "\\") {
      value += character;
      continue;
    }
    const escaped = ESCAPES[text[++at] ?? ""];
    if (escaped === undefined) {
      throw new StatementError({ ...position, column: at }, `unknown escape; use \\" \\\\ \\n \\t`);
    }
    value += escaped;
  }
  throw new StatementError(position, "a string without an end");
}

function endAfter(text: string, line: number): Token {
  return { kind: "end", text: "", line, column: text.replace(/\s*(#.*)?$/, "").length + 1 };
}
