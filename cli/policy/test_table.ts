// SPDX-License-Identifier: MIT
// What `policy test` does.

import { EXIT_FAILURE } from "../errors.ts";
import { readFile, TEXT_BYTES_MAX } from "../files.ts";
import { print } from "../output.ts";
import { readCases } from "./cases.ts";
import { readPolicy } from "./files.ts";
import { runCase } from "./run_case.ts";

/** Runs the cases of one file through the policy in another; the exit status. */
export function testPolicyFile(path: string, casesPath: string): number {
  const { policy } = readPolicy(path);
  const text = new TextDecoder().decode(readFile("cases", casesPath, TEXT_BYTES_MAX));
  const cases = readCases(text, casesPath);
  const instance = new WebAssembly.Instance(policy.module);
  let failed = 0;
  for (const one of cases) {
    const difference = runCase(one, policy, instance);
    if (difference === null) continue;
    failed++;
    print(`${casesPath}:${one.line}: ${one.name}: ${difference}\n`);
  }
  print(`${cases.length} cases: ${cases.length - failed} passed, ${failed} failed\n`);
  return failed > 0 ? EXIT_FAILURE : 0;
}
