// SPDX-License-Identifier: MIT
// The parts of a policy as they are written, before names and types are looked at.

import type { Position } from "./diagnostic.ts";
import type { Token } from "./tokens.ts";

/** An action: what is done with a request. */
export interface ActionNode extends Position {
  readonly kind: "allow" | "errno" | "log" | "kill";
  /** Of the kind `errno`: which one; else 0. */
  readonly errno: number;
}

/** One element of a set: a value, a name, or all from `low` to `high` (null: open). */
export type ItemNode =
  | { readonly kind: "value"; readonly value: Token }
  | { readonly kind: "name"; readonly name: Token }
  | {
    readonly kind: "range";
    /** `..` without the end, `..+` with a length in place of the end, `to` with the end. */
    readonly how: ".." | "..+" | "to";
    readonly low: Token | null;
    readonly high: Token | null;
    /** The token between them. */
    readonly at: Token;
  };

/** A condition. */
export type ExprNode =
  | { readonly kind: "and" | "or"; readonly of: readonly ExprNode[] }
  | { readonly kind: "not"; readonly of: ExprNode }
  | { readonly kind: "name"; readonly name: Token }
  | {
    readonly kind: "test";
    readonly field: Token;
    /** `==` and so on, `in`, `like`, `has`, `aligned`, `overlaps`. */
    readonly operator: Token;
    /** `not` stood before the operator. */
    readonly negated: boolean;
    readonly items: readonly ItemNode[];
  };

/** A statement of a policy. */
export type StatementNode =
  | { readonly kind: "default"; readonly at: Token; readonly action: ActionNode }
  | { readonly kind: "timezone"; readonly at: Token; readonly zone: "utc" | "local" }
  | { readonly kind: "let"; readonly name: Token; readonly set: readonly ItemNode[] }
  | { readonly kind: "let"; readonly name: Token; readonly when: ExprNode }
  | {
    readonly kind: "rule";
    readonly action: ActionNode;
    /** Commands that it is about; empty: all. */
    readonly commands: readonly ItemNode[];
    readonly when: ExprNode | null;
  };
