// SPDX-License-Identifier: MIT
// What is wrong, or worth a look, in a policy: where it stands and a sentence about it.

/** A place in a file; both count from 1. A column is a UTF-16 unit. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A finding. Only errors keep a policy from being used. */
export interface Diagnostic extends Position {
  readonly severity: "error" | "warning";
  readonly message: string;
}

/** A policy that cannot be used. The message tells of the first error and how many there are. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";

  /** `diagnostics` has at least one error, in the order of the file. */
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    const { line, column, message } = errors[0]!;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    super(`line ${line}, column ${column}: ${message}${more}`);
  }
}

/** Thrown within a statement to give it up; becomes a Diagnostic. */
export class StatementError extends Error {
  constructor(readonly position: Position, message: string) {
    super(message);
  }
}
