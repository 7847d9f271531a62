// SPDX-License-Identifier: MIT
// Runs one case of `policy test` through the compiled policy, and through the rules' semantics too.

import { verdictOn } from "../../core/policy/check_words.ts";
import { verdictOf } from "../../core/policy/emit.ts";
import { outcomeText } from "../../core/policy/explain.ts";
import { decide, type Decision } from "../../core/policy/interpret.ts";
import type { Policy } from "../../core/policy/loaded.ts";
import { Verdict } from "../../core/policy/module.ts";
import type { Program } from "../../core/policy/program.ts";
import type { Case } from "./cases.ts";

/** What came out otherwise than expected; null where nothing did. */
export function runCase(one: Case, policy: Policy, instance: WebAssembly.Instance): string | null {
  const { subject, facts } = one;
  const verdict = verdictOn(instance, policy.conditions, subject, facts);
  const action = verdict & Verdict.ActionMask;
  const reason = verdict >> Verdict.ReasonShift & Verdict.ReasonMask;
  const why = policy.reasons[reason] ?? `reason ${reason}`;
  if (action !== one.expect) {
    return `expected ${outcomeText(one.expect)}, got ${outcomeText(action)} by ${why}`;
  }
  const { program } = policy;
  if (!program) {
    return one.decidedBy === null && one.logs === null ? null : "a module has no lines";
  }
  const decision = decide(program, subject, facts);
  const logged = decision.logs.length > 0 ? Verdict.Log : 0;
  if ((verdictOf(decision.action, decision.rule + 1) | logged) !== verdict) {
    return `fault: compiled and interpreted rules differ (${verdict.toString(16)}); please report`;
  }
  return lineDifference(one, program, decision);
}

function lineDifference(one: Case, program: Program, decision: Decision): string | null {
  const lineOf = (rule: number) => rule < 0 ? program.otherwiseLine : program.rules[rule]!.line;
  const line = lineOf(decision.rule);
  if (one.decidedBy !== null && one.decidedBy !== line) {
    return `expected line ${one.decidedBy} to decide, but line ${line} did`;
  }
  const logs = decision.logs.map(lineOf);
  if (one.logs === null || `${one.logs}` === `${logs}`) return null;
  const text = (lines: number[]) => lines.length === 0 ? "none" : lines.join(", ");
  return `expected lines that log: ${text(one.logs)}; got ${text(logs)}`;
}
