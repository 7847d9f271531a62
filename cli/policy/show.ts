// SPDX-License-Identifier: MIT
// What `policy show` does.

import { compile } from "../../core/policy/compile.ts";
import { showCompiled } from "../../core/policy/explain.ts";
import { listInstructions } from "../../core/policy/listing.ts";
import { writeFile } from "../files.ts";
import { print } from "../output.ts";
import { readPolicy } from "./files.ts";

/** Shows what a policy is compiled to; writes the module to `output` if that is a path. */
export function showPolicyFile(path: string, code: boolean, output: string | undefined): void {
  const { policy } = readPolicy(path);
  const lines = showCompiled(policy, policy.program && compile(policy.program, path));
  if (code) lines.push(...listInstructions(policy.bytes));
  print([...lines, ""].join("\n"));
  if (output !== undefined) writeFile("module", output, policy.bytes);
}
