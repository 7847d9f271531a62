// SPDX-License-Identifier: MIT
// Runs the checks of the conformance kit on one plugin, in order, each with instances of its own.

import { BlockError } from "../block/errno.ts";
import { CHECKS } from "./checks.ts";
import { type Check, Fault, Kit, Skipped } from "./kit.ts";
import type { CheckReport, CheckResult } from "./report.ts";
import { NeverAnswered } from "./session.ts";
import { type CheckOptions, Subject } from "./subject.ts";

/** Checks a plugin. `told` hears of each result as it comes. Throws PluginError for what is none. */
export async function runChecks(
  options: CheckOptions,
  told: (result: CheckResult) => void = () => {},
): Promise<CheckReport> {
  const subject = new Subject(options);
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    const result = await runCheck(subject, check);
    results.push(result);
    told(result);
    // What does not start cannot be checked any further.
    if (check.name === "start" && result.outcome === "failed") break;
  }
  const { name, version, kind, abi } = subject.manifest;
  return {
    plugin: { name, version, kind, abi },
    seed: options.seed,
    results,
    passed: results.every(({ outcome }) => outcome !== "failed"),
  };
}

async function runCheck(subject: Subject, check: Check): Promise<CheckResult> {
  const start = performance.now();
  const kit = new Kit(subject);
  const { outcome, reason } = subject.options.skip.includes(check.name)
    ? { outcome: "skipped" as const, reason: "left out" }
    : await outcomeOf(kit, check);
  const milliseconds = Math.round(performance.now() - start);
  return { name: check.name, title: check.title, outcome, reason, notes: kit.notes, milliseconds };
}

async function outcomeOf(kit: Kit, check: Check): Promise<Pick<CheckResult, "outcome" | "reason">> {
  let outcome: Pick<CheckResult, "outcome" | "reason"> = { outcome: "passed", reason: "" };
  const attempt = async (action: () => Promise<void> | void) => {
    try {
      await action();
    } catch (error) {
      if (error instanceof Skipped) outcome = { outcome: "skipped", reason: error.message };
      else if (outcome.outcome !== "failed") {
        outcome = { outcome: "failed", reason: reasonOf(kit, error) };
      }
    }
  };
  await attempt(() => check.run(kit));
  await attempt(() => kit.close());
  return outcome;
}

function reasonOf(kit: Kit, error: unknown): string {
  if (error instanceof BlockError) return kit.explain(error.message);
  const ours = error instanceof Fault || error instanceof NeverAnswered;
  if (ours) return error.message;
  // Something is wrong with the kit or the host, which is worth a whole stack.
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
