// SPDX-License-Identifier: MIT
// Reads the table of cases of `policy test`: YAML in which every key is known and every error has a
// line and a column.

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { parseSize } from "../../core/plugin/quantities.ts";
import { Errno } from "../../core/block/errno.ts";
import { type ConnectionFacts, connectionFacts } from "../../core/policy/connection.ts";
import { isWithoutRange, type Subject } from "../../core/policy/interpret.ts";
import { COMMANDS, FLAGS, WEEKDAYS } from "../../core/policy/vocabulary.ts";

/** A case: what is asked, by whom, and what should come of it. */
export interface Case {
  /** Where it stands in the file. */
  line: number;
  /** What it is called; the request where it has no name. */
  name: string;
  subject: Subject;
  facts: ConnectionFacts;
  /** The action of a verdict: 0, an errno or 255. */
  expect: number;
  /** Lines of the rule that decides, and of those that log; null where it does not matter. */
  decidedBy: number | null;
  logs: number[] | null;
}

const CLIENT_KEYS = ["export", "peer", "tls", "time", "flags"];
const CASE_KEYS = ["name", "request", "expect", "line", "logs", ...CLIENT_KEYS];
const LARGEST = 2n ** 63n - 1n;

type Fields = Map<string, Node>;

/** The cases in `text`; `path` is for messages. Throws Error with one sentence. */
export function readCases(text: string, path: string): Case[] {
  return new CasesReader(text, path).read();
}

class CasesReader {
  readonly #text: string;
  readonly #path: string;
  readonly #lines = new LineCounter();

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  read(): Case[] {
    const document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
    const [wrong] = document.errors;
    if (wrong) this.#failAt(wrong.pos[0], wrong.message);
    const root = document.contents;
    if (!root) this.#failAt(0, "the file is empty");
    const fields = this.#fields(root, ["defaults", "cases"]);
    const defaults = fields.get("defaults");
    const known: Fields = defaults ? this.#fields(defaults, CLIENT_KEYS) : new Map();
    const list = fields.get("cases");
    if (!isSeq<Node>(list) || list.items.length === 0) {
      this.#fail(list ?? root, "there are no cases");
    }
    return list.items.map((item) => this.#case(item, known));
  }

  #case(node: Node, defaults: Fields): Case {
    const own = this.#fields(node, CASE_KEYS);
    const fields = new Map([...defaults, ...own]);
    const required = (key: string) => fields.get(key) ?? this.#fail(node, `a case needs "${key}"`);
    const request = required("request");
    const words = this.#string(request);
    const optional = <T>(key: string, read: (node: Node) => T, fallback: T) => {
      const field = fields.get(key);
      return field === undefined ? fallback : read(field);
    };
    const string = (field: Node) => this.#string(field);
    const exportName = optional("export", string, "");
    const peer = optional("peer", (field) => this.#peer(field), "unix:pid=1,uid=0,gid=0");
    return {
      line: this.#position(node).line,
      name: optional("name", string, words),
      subject: {
        ...this.#request(request, words),
        flags: optional("flags", (field) => this.#flags(field), 0),
        ...optional("time", (field) => this.#time(field), { weekday: 0, second: 0 }),
      },
      facts: connectionFacts(peer, exportName, optional("tls", string, null as string | null)),
      expect: this.#expected(required("expect")),
      decidedBy: optional("line", (field) => this.#number(field), null as number | null),
      logs: optional("logs", (field) => this.#numbers(field), null as number[] | null),
    };
  }

  /** `write 4K at 1G`, `flush`. */
  #request(node: Node, words: string): Pick<Subject, "command" | "offset" | "length"> {
    const match = /^([a-z-]+)(?: +(\S+) +at +(\S+))?$/.exec(words.trim());
    if (!match) {
      this.#fail(node, `cannot read request "${words}"; write "read 4K at 1G" or "flush"`);
    }
    const [, name, length, offset] = match;
    const command = COMMANDS.get(name!);
    if (command === undefined) {
      this.#fail(node, `unknown command "${name}"${didYouMean(name!, COMMANDS.keys())}`);
    }
    if (length === undefined) {
      if (!isWithoutRange(command)) this.#fail(node, `"${name}" needs a range: ${name} 4K at 0`);
      return { command, offset: 0n, length: 0n };
    }
    if (isWithoutRange(command)) {
      this.#fail(node, `${name === "flush" ? "a flush" : "an ioctl"} has no range`);
    }
    const range = { length: this.#bytes(node, length), offset: this.#bytes(node, offset!) };
    if (range.offset + range.length > LARGEST) this.#fail(node, "the request ends past 2^63-1");
    return { command, ...range };
  }

  #bytes(node: Node, text: string): bigint {
    try {
      return text.startsWith("0x") ? BigInt(text) : parseSize(text);
    } catch {
      this.#fail(node, `"${text}" is not a number of bytes`);
    }
  }

  #flags(node: Node): number {
    if (!isSeq<Node>(node)) this.#fail(node, "flags are a list: [fua]");
    return node.items.reduce((mask, item) => {
      const name = this.#string(item);
      const bit = FLAGS.get(name);
      if (bit === undefined) {
        this.#fail(item, `unknown flag "${name}"${didYouMean(name, FLAGS.keys())}`);
      }
      return mask | bit;
    }, 0);
  }

  #peer(node: Node): string {
    const text = this.#string(node);
    if (/^(tcp:.+:\d+|unix:pid=\d+,uid=\d+,gid=\d+|fd:\d+)$/.test(text)) return text;
    this.#fail(
      node,
      `cannot read peer "${text}"; write tcp:192.0.2.1:4000 or unix:pid=1,uid=0,gid=0`,
    );
  }

  /** `mon 22:30`. */
  #time(node: Node): { weekday: number; second: number } {
    const text = this.#string(node);
    const match = /^([a-z]{3}) +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/.exec(text);
    const weekday = match ? WEEKDAYS.get(match[1]!) : undefined;
    const [hour, minute, second] = (match ?? []).slice(2).map((part = "0") => Number(part));
    if (weekday === undefined || hour! > 23 || minute! > 59 || second! > 59) {
      this.#fail(node, `cannot read time "${text}"; write "mon 22:30"`);
    }
    return { weekday, second: hour! * 3600 + minute! * 60 + second! };
  }

  #expected(node: Node): number {
    const text = this.#string(node);
    if (text === "allow") return 0;
    if (text === "kill") return 255;
    const name = /^errno +([A-Z0-9]+)$/.exec(text)?.[1];
    if (name !== undefined && Object.hasOwn(Errno, name)) return Errno[name as keyof typeof Errno];
    const names = ["allow", "kill", ...Object.keys(Errno).map((errno) => `errno ${errno}`)];
    this.#fail(node, `cannot expect "${text}"${didYouMean(text, names) || "; write errno EPERM"}`);
  }

  #numbers(node: Node): number[] {
    if (!isSeq<Node>(node)) this.#fail(node, "expected a list of lines");
    return node.items.map((item) => this.#number(item));
  }

  #number(node: Node): number {
    if (isScalar(node) && Number.isSafeInteger(node.value)) return node.value as number;
    this.#fail(node, "expected a number");
  }

  #string(node: Node): string {
    if (isScalar(node) && typeof node.value === "string") return node.value;
    this.#fail(node, "expected text; put it into quotes");
  }

  #fields(node: Node, keys: readonly string[]): Fields {
    if (!isMap<Node, Node | null>(node)) this.#fail(node, `expected keys: ${keys.join(", ")}`);
    return new Map(node.items.map(({ key, value }): [string, Node] => {
      const name = this.#string(key);
      if (!keys.includes(name)) {
        this.#fail(key, `unknown key "${name}"${didYouMean(name, keys)}`);
      }
      return [name, value ?? this.#fail(key, `"${name}" has no value`)];
    }));
  }

  #position(node: Node): { line: number; col: number } {
    return this.#lines.linePos(node.range?.[0] ?? 0);
  }

  #fail(node: Node, fact: string): never {
    this.#failAt(node.range?.[0] ?? 0, fact);
  }

  #failAt(offset: number, fact: string): never {
    const { line, col } = this.#lines.linePos(offset);
    throw new Error(`cannot use cases "${this.#path}": line ${line}, column ${col}: ${fact}`);
  }
}
