// SPDX-License-Identifier: MIT
// Tells in text what a policy does: command by command, and as it was compiled.

import { errnoName } from "../block/errno.ts";
import { type Compiled } from "./compile.ts";
import { verdictOf } from "./emit.ts";
import { actionText, commandsText, conditionText } from "./format.ts";
import type { Link, Lowered } from "./lower.ts";
import type { Policy } from "./loaded.ts";
import type { Condition, Program } from "./program.ts";
import { COMMANDS, nameOf } from "./vocabulary.ts";

/** What happens to each command, rule after rule. `chains` is what the program was lowered to. */
export function explain(program: Program, { lowered }: Compiled): string[] {
  const { chains, conditions } = lowered;
  const lines: string[] = [];
  for (const { commands, chain } of groups(chains)) {
    lines.push("", `${commandsText(commands)}:`);
    for (const { rule, action, when } of chain) {
      const line = rule < 0 ? program.otherwiseLine : program.rules[rule]!.line;
      const always = when.kind === "constant";
      const condition = always ? "" : ` if ${conditionText(inWords(when, conditions))}`;
      const head = rule < 0 ? `otherwise ${actionText(action)}` : actionText(action);
      lines.push(`  ${head}${condition}  (line ${line})`);
    }
  }
  return lines;
}

/** The compiled form: bits of the context, chains with their verdicts, sizes. */
export function showCompiled(policy: Policy, compiled: Compiled | null): string[] {
  const { bytes, conditions, verified, timezone } = policy;
  const lines = [
    `module of ${bytes.length} bytes, at most ${verified.steps} instructions for a request`,
    verified.clock ? `looks at the clock (${timezone})` : "does not look at the clock",
  ];
  if (conditions.length > 0) lines.push("", "decided once for each client:");
  conditions.forEach((condition, bit) => {
    lines.push(`  client[${bit}] = ${conditionText(condition)}`);
  });
  if (!compiled) return lines;
  for (const { commands, chain } of groups(compiled.lowered.chains)) {
    const first = [...COMMANDS.values()].find((command) => commands >> command & 1)!;
    lines.push("", `${commandsText(commands)}: ${compiled.codeLengths[first]} bytes`);
    for (const { rule, action, when } of chain) {
      const verdict = action.kind === "log"
        ? "log"
        : `0x${verdictOf(action, rule + 1).toString(16).padStart(5, "0")} ${actionText(action)}`;
      lines.push(`  ${when.kind === "constant" ? "" : `${conditionText(when)} -> `}${verdict}`);
    }
  }
  return lines;
}

/** A verdict's action as the language writes it. */
export function outcomeText(code: number): string {
  if (code === 0) return "allow";
  return code === 0xff ? "kill" : `errno ${errnoName(code)}`;
}

/** Commands with the same chain together. */
function groups(chains: readonly (readonly Link[] | null)[]) {
  const found: { commands: number; key: string; chain: readonly Link[] }[] = [];
  for (const command of COMMANDS.values()) {
    const chain = chains[command]!;
    const key = chain.map(({ rule, action, when }) => {
      return `${rule} ${actionText(action)} ${conditionText(when)}`;
    }).join("\n");
    const same = found.find((group) => group.key === key);
    if (same) same.commands |= 1 << command;
    else found.push({ commands: 1 << command, key, chain });
  }
  return found;
}

/** A condition with what its bits stand for. */
function inWords(when: Lowered, conditions: readonly Condition[]): Condition {
  switch (when.kind) {
    case "context":
      return conditions[when.bit]!;
    case "and":
    case "or":
      return { kind: when.kind, of: when.of.map((part) => inWords(part, conditions)) };
    case "not":
      return { kind: "not", of: inWords(when.of, conditions) };
    default:
      return when;
  }
}

/** The name of a command as rules write it. */
export function commandName(command: number): string {
  return nameOf(COMMANDS, command);
}
