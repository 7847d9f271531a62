// SPDX-License-Identifier: MIT
// From the text of a policy to its program, with everything there is to say about it.

import { checkPolicy } from "./check.ts";
import { type Diagnostic, PolicyError } from "./diagnostic.ts";
import { lint } from "./lint.ts";
import { parsePolicy } from "./parser.ts";
import type { Program } from "./program.ts";

/** A program, null where the text has errors; findings in the order of the text. */
export interface Analysis {
  program: Program | null;
  diagnostics: Diagnostic[];
}

/** Parses and checks a policy. */
export function analyze(source: string): Analysis {
  const diagnostics: Diagnostic[] = [];
  const statements = parsePolicy(source, diagnostics);
  let program = checkPolicy(statements, diagnostics);
  if (program) {
    try {
      lint(program, diagnostics);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      diagnostics.push(...error.diagnostics);
      program = null;
    }
  }
  diagnostics.sort((a, b) => a.line - b.line || a.column - b.column);
  return { program, diagnostics };
}

/** The program of a policy. Throws PolicyError. */
export function parseProgram(source: string): Program {
  const { program, diagnostics } = analyze(source);
  if (!program) throw new PolicyError(diagnostics);
  return program;
}
