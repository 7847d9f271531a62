// SPDX-License-Identifier: MIT
// Reads YAML by a shape: all that is wrong is told with its line and column, and what is right comes
// out as values that know where they stand.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
} from "yaml";
import { didYouMean, suggest } from "../../core/plugin/suggest.ts";
import { count, milliseconds, size } from "../values.ts";
import type { Shape, Shapes } from "./shape.ts";

/** Something that is wrong in a file. */
export interface Fault {
  /** From 1. */
  line: number;
  column: number;
  message: string;
}

/** A value and where it stands. Which of the fields it has depends on its shape. */
export interface Value {
  line: number;
  column: number;
  /** As it is written; of a flag `true` or `false`. */
  text?: string;
  list?: Value[];
  map?: Map<string, Value>;
}

/** Aliases can make a small file large. */
const VALUES_MAX = 20_000;
const DEPTH_MAX = 100;

/** The value in `source`, null where it has faults. */
export function readShape(
  source: string,
  shape: Shape,
  shapes: Shapes,
): { value: Value | null; faults: Fault[] } {
  const reader = new Reader(source, shapes);
  const value = reader.read(shape);
  reader.faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return { value: reader.faults.length === 0 ? value : null, faults: reader.faults };
}

class Reader {
  readonly faults: Fault[] = [];
  readonly #source: string;
  readonly #shapes: Shapes;
  readonly #lines = new LineCounter();
  #document!: Document;
  #values = 0;
  #depth = 0;

  constructor(source: string, shapes: Shapes) {
    this.#source = source;
    this.#shapes = shapes;
  }

  read(shape: Shape): Value | null {
    const options = { lineCounter: this.#lines, prettyErrors: false };
    const documents = parseAllDocuments(this.#source, options);
    const [document, second] = "empty" in documents ? [] : documents;
    for (const { pos, message } of document?.errors ?? []) this.#failAt(pos[0], message);
    if (second) this.#failAt(second.range[0], "there is a second document; one is enough");
    if (this.faults.length > 0) return null;
    const root = document?.contents as Node | null | undefined;
    if (!root) return this.#failAt(0, "the file is empty");
    this.#document = document!;
    return this.#value(root, shape);
  }

  #value(node: Node, shape: Shape): Value | null {
    if (++this.#values > VALUES_MAX) {
      // Once is enough.
      return this.#values === VALUES_MAX + 1
        ? this.#fail(node, "the file has too many values")
        : null;
    }
    if (this.#depth === DEPTH_MAX) return this.#fail(node, "this is too deep");
    this.#depth++;
    const value = isAlias(node) ? this.#alias(node, shape) : this.#plain(node, shape);
    this.#depth--;
    return value;
  }

  #alias(node: Node, shape: Shape): Value | null {
    const target = isAlias(node) ? node.resolve(this.#document) : undefined;
    return target ? this.#value(target, shape) : this.#fail(node, "the anchor does not exist");
  }

  #plain(node: Node, shape: Shape): Value | null {
    switch (shape.kind) {
      case "ref":
        return this.#plain(node, this.#shapes[shape.name]!);
      case "either":
        return this.#either(node, shape.of);
      case "list":
        return this.#list(node, shape.of);
      case "map":
        return this.#map(node, shape);
      case "fields":
        return this.#fields(node, shape);
      default:
        return this.#scalar(node, shape);
    }
  }

  /** The shape that suits what the value is; the first where none does, for what it says about that. */
  #either(node: Node, shapes: readonly Shape[]): Value | null {
    const suits = (shape: Shape): boolean => {
      if (shape.kind === "ref") return suits(this.#shapes[shape.name]!);
      if (shape.kind === "either") return shape.of.some(suits);
      if (shape.kind === "list") return isSeq(node);
      if (shape.kind === "map") return isMap(node);
      if (shape.kind === "fields") {
        return isMap(node) || (shape.short !== undefined && isScalar(node));
      }
      return isScalar(node);
    };
    return this.#plain(node, shapes.find(suits) ?? shapes[0]!);
  }

  #list(node: Node, of: Shape): Value | null {
    if (!isSeq<Node>(node)) return this.#fail(node, "this must be a list");
    if (node.items.length === 0) return this.#fail(node, "the list is empty");
    const list = node.items.map((item) => this.#value(item, of));
    return { ...this.#at(node), list: list.filter((one) => one !== null) };
  }

  #map(node: Node, shape: Extract<Shape, { kind: "map" }>): Value | null {
    const entries = this.#entries(node, `names of ${shape.names}s`);
    if (entries === null) return null;
    if (isMap(node) && node.items.length === 0) {
      return this.#fail(node, `there is no ${shape.names}`);
    }
    const map = new Map<string, Value>();
    for (const { key, name, value } of entries) {
      const read = value === null
        ? this.#fail(key, `"${name}" has no value`)
        : this.#value(value, shape.of);
      if (read !== null) map.set(name, { ...read, ...this.#at(key) });
    }
    return { ...this.#at(node), map };
  }

  #fields(node: Node, shape: Extract<Shape, { kind: "fields" }>): Value | null {
    const { fields, short } = shape;
    if (short !== undefined && isScalar(node)) {
      const value = this.#scalar(node, fields[short]!.shape);
      return value && { ...this.#at(node), map: new Map([[short, value]]) };
    }
    const names = Object.keys(fields);
    const entries = this.#entries(node, names.join(", "));
    if (entries === null) return null;
    const map = new Map<string, Value>();
    /** What is there, or was meant to be. */
    const given = new Set(entries.map(({ name }) => name));
    for (const { key, name, value } of entries) {
      const field = Object.hasOwn(fields, name) ? fields[name]! : null;
      if (field === null) {
        const meant = suggest(name, names);
        if (meant !== undefined) given.add(meant);
        const right = meant === undefined
          ? `the keys are ${names.join(", ")}`
          : `did you mean "${meant}"?`;
        this.#fail(key, `unknown key "${name}"; ${right}`);
      } else if (value === null) this.#fail(key, `"${name}" has no value`);
      else {
        const read = this.#value(value, field.shape);
        if (read !== null) map.set(name, read);
      }
    }
    for (const name of names) {
      if (fields[name]!.required && !given.has(name)) this.#fail(node, `"${name}" is missing`);
    }
    return { ...this.#at(node), map };
  }

  #entries(node: Node, keys: string): { key: Node; name: string; value: Node | null }[] | null {
    if (!isMap<Node, Node | null>(node)) {
      this.#fail(node, `this must be a mapping with keys: ${keys}`);
      return null;
    }
    return node.items.flatMap(({ key, value }) => {
      const name = isScalar(key) ? textOf(key) : null;
      if (name === null) {
        this.#fail(key, "a key must be a string");
        return [];
      }
      return { key, name, value: isScalar(value) && value.value === null ? null : value };
    });
  }

  #scalar(node: Node, shape: Shape): Value | null {
    const text = isScalar(node) ? textOf(node) : null;
    if (text === null) return this.#fail(node, `this must be ${nameOf(shape)}`);
    const fault = scalarFault(shape, text);
    return fault === "" ? { ...this.#at(node), text } : this.#fail(node, fault);
  }

  #at(node: Node): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return { line, column: col };
  }

  #fail(node: Node, message: string): null {
    return this.#failAt(node.range?.[0] ?? 0, message);
  }

  #failAt(offset: number, message: string): null {
    const { line, col } = this.#lines.linePos(offset);
    this.faults.push({ line, column: col, message });
    return null;
  }
}

/** The text of a scalar: a number as it is written; null for none. */
function textOf(scalar: Scalar): string | null {
  const { value, source } = scalar;
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  return source ?? `${value}`;
}

function nameOf(shape: Shape): string {
  switch (shape.kind) {
    case "flag":
      return "true or false";
    case "choice":
      return `one of ${shape.values.join(", ")}`;
    case "count":
      return "a number";
    case "size":
      return "a size such as 64M";
    case "duration":
      return "a time such as 10s";
    default:
      return "a string";
  }
}

/** What is wrong with `text`; "" if nothing is. */
function scalarFault(shape: Shape, text: string): string {
  if (shape.kind === "flag") {
    return text === "true" || text === "false" ? "" : `"${text}" is neither true nor false`;
  }
  if (shape.kind === "choice") {
    if (shape.values.includes(text)) return "";
    return `"${text}" is none of ${shape.values.join(", ")}${didYouMean(text, shape.values)}`;
  }
  if (shape.kind !== "count" && shape.kind !== "size" && shape.kind !== "duration") return "";
  if (shape.words?.includes(text)) return "";
  try {
    if (shape.kind === "duration") milliseconds("time", text);
    else if (shape.kind === "size") size("size", text, shape);
    else count("number", text, shape);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
