// SPDX-License-Identifier: MIT
// What came of the checks, and how it is shown.

/** What came of one check. */
export interface CheckResult {
  name: string;
  title: string;
  outcome: "passed" | "failed" | "skipped";
  /** The fault that was found, or why there was nothing to check; "" otherwise. */
  reason: string;
  /** What is no fault, but worth knowing. */
  notes: string[];
  milliseconds: number;
}

/** What came of all of them. */
export interface CheckReport {
  plugin: { name: string; version: string; kind: string; abi: string };
  seed: number;
  results: CheckResult[];
  /** Whether none has failed. */
  passed: boolean;
}

const WORDS = { passed: "ok", failed: "FAILED", skipped: "-" } as const;

/** The line, or lines, about one check. */
export function resultText({ name, title, outcome, reason, notes }: CheckResult): string {
  const tail = outcome === "passed" ? title : reason;
  const lines = [`${WORDS[outcome].padEnd(7)} ${name.padEnd(11)} ${tail}`];
  for (const note of notes) lines.push(`${" ".repeat(20)}note: ${note}`);
  return lines.join("\n") + "\n";
}

/** The line that sums up. */
export function summaryText({ plugin, seed, results }: CheckReport): string {
  const count = (outcome: string) => results.filter((one) => one.outcome === outcome).length;
  const parts = [`${count("passed")} passed`, `${count("failed")} failed`];
  if (count("skipped") > 0) parts.push(`${count("skipped")} had nothing to check`);
  return `${plugin.name} ${plugin.version}: ${parts.join(", ")} (seed ${seed})\n`;
}
