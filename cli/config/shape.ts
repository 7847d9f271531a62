// SPDX-License-Identifier: MIT
// How a part of a configuration file must look. Checker and published schema are made from the same
// shapes (read.ts, json_schema.ts), so that they cannot disagree.

/** A key of a mapping. */
export interface Field {
  readonly shape: Shape;
  /** One sentence or more, for the schema and the reference. */
  readonly help: string;
  readonly required?: true;
  /** Text of the value that it has when it is not given. */
  readonly default?: string;
}

/** Keys of a mapping by name. */
export type Fields = Readonly<Record<string, Field>>;

/** See the top of this file. */
export type Shape =
  /** Any text; numbers are taken as they are written. */
  | { readonly kind: "text" }
  | { readonly kind: "flag" }
  /** A number of things, of bytes, or a time in milliseconds, from `minimum` to `maximum`. */
  | {
    readonly kind: "count" | "size" | "duration";
    readonly minimum: number;
    readonly maximum: number;
    /** Words that may stand instead of it. */
    readonly words?: readonly string[];
  }
  | { readonly kind: "choice"; readonly values: readonly string[] }
  | { readonly kind: "list"; readonly of: Shape }
  /** A mapping with names that the user chooses; at least one. */
  | { readonly kind: "map"; readonly of: Shape; readonly names: string }
  /** A mapping with known keys; `short`: or a text, which is the value of that key. */
  | { readonly kind: "fields"; readonly fields: Fields; readonly short?: string }
  /** One of the shapes by what the value is: the text, the list or the mapping among them. */
  | { readonly kind: "either"; readonly of: readonly Shape[] }
  /** The shape of that name in the table, which may contain itself. */
  | { readonly kind: "ref"; readonly name: string };

/** Shapes that have names. */
export type Shapes = Readonly<Record<string, Shape>>;
