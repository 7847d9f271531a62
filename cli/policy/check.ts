// SPDX-License-Identifier: MIT
// What `policy check` does.

import { compile } from "../../core/policy/compile.ts";
import { explain, showCompiled } from "../../core/policy/explain.ts";
import { actionText } from "../../core/policy/format.ts";
import type { Policy } from "../../core/policy/loaded.ts";
import { EXIT_FAILURE } from "../errors.ts";
import { print, printError } from "../output.ts";
import { findingLines, inspectPolicy } from "./files.ts";

/** Checks and explains the policy in a file; the exit status. `strict`: warnings are errors. */
export function checkPolicyFile(path: string, strict: boolean): number {
  const found = inspectPolicy(path);
  if ("errors" in found) {
    printError(findingLines(path, found.errors));
    return EXIT_FAILURE;
  }
  printError(findingLines(path, found.diagnostics));
  print([...summary(path, found.policy), ""].join("\n"));
  return strict && found.diagnostics.length > 0 ? EXIT_FAILURE : 0;
}

function summary(path: string, policy: Policy): string[] {
  const { program } = policy;
  if (!program) return [`${path}: a module that may be a policy`, ...showCompiled(policy, null)];
  const rules = program.rules.length === 1 ? "1 rule" : `${program.rules.length} rules`;
  return [
    `${path}: ${rules}, default ${actionText(program.otherwise)}`,
    ...explain(program, compile(program, path)),
  ];
}
