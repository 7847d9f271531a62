// SPDX-License-Identifier: MIT
// Writes conditions as the language writes them, names replaced by what they stand for. Parsing the
// text gives a condition that means the same.

import { blockText } from "./address.ts";
import { type Action, BYTES_MAX, COMMANDS_ALL, ID_MAX, type Interval } from "./program.ts";
import type { Lowered } from "./lower.ts";
import type { Condition } from "./program.ts";
import { COMMANDS, FLAGS, nameOf, TRANSPORTS, WEEKDAYS } from "./vocabulary.ts";
import { errnoName } from "../block/errno.ts";

/** `condition` as text; bits of the context as `client[3]`, constants as `always` and `never`. */
export function conditionText(condition: Condition | Lowered): string {
  switch (condition.kind) {
    case "constant":
      return condition.value ? "always" : "never";
    case "context":
      return `client[${condition.bit}]`;
    case "and":
    case "or":
      return condition.of.map(grouped).join(` ${condition.kind} `);
    case "not":
      return negatedText(condition.of);
    case "command":
      return `command in ${commandsText(condition.mask)}`;
    case "flags":
      return `flags ${condition.how} ${maskText(condition.mask, FLAGS)}`;
    case "number":
    case "range":
    case "aligned":
      return numericText(condition);
    case "id":
      return `${condition.field} in ${intervalsText(condition.of, ID_MAX, String)}`;
    case "text":
      return `${condition.field} ${condition.how} ${condition.of.map(stringText).join(", ")}`;
    case "address":
      return `peer.address in ${condition.of.map(blockText).join(", ")}`;
    case "transport":
      return `peer.transport in ${maskText(condition.mask, TRANSPORTS)}`;
    case "time":
      return `time in ${condition.of.map(timeRange).join(", ")}`;
    case "weekday":
      return `weekday in ${weekdaysText(condition.mask)}`;
  }
}

/** `errno EPERM`. */
export function actionText({ kind, errno }: Action): string {
  return kind === "errno" ? `errno ${errnoName(errno)}` : kind;
}

/** `read, write`; `any command` for all of them. */
export function commandsText(mask: number): string {
  if ((mask & COMMANDS_ALL) === COMMANDS_ALL) return "any command";
  const names = [...COMMANDS].filter(([, command]) => mask >> command & 1).map(([name]) => name);
  return names.join(", ");
}

/** Bytes with the largest suffix that leaves a whole number: `64K`, `1000`. */
export function bytesText(value: bigint): string {
  let [rest, unit] = [value, ""];
  for (const next of "KMGTPE") {
    if (rest === 0n || rest % 1024n !== 0n) break;
    [rest, unit] = [rest / 1024n, next];
  }
  return `${rest}${unit}`;
}

function grouped(condition: Condition | Lowered): string {
  const text = conditionText(condition);
  return condition.kind === "and" || condition.kind === "or" ? `(${text})` : text;
}

function negatedText(condition: Condition | Lowered): string {
  const text = grouped(condition);
  if (!/^[a-z.]+ (in|like|has|aligned|overlaps) /.test(text)) return `not ${text}`;
  return text.replace(" ", " not ");
}

function numericText(
  condition: Extract<Condition, { kind: "number" | "range" | "aligned" }>,
): string {
  if (condition.kind === "aligned") {
    return `${condition.field} aligned ${bytesText(condition.size)}`;
  }
  if (condition.kind === "range") {
    return `range ${condition.how} ${intervalsText(condition.of, BYTES_MAX, bytesText)}`;
  }
  const { field, of } = condition;
  if (of.length === 1) {
    const { low, high } = of[0]!;
    if (low === high) return `${field} == ${bytesText(low)}`;
    // Of two ways to write a bound, the rounder one.
    if (high === BYTES_MAX) return bound(field, [">=", low], [">", low - 1n]);
    if (low === 0n) return bound(field, ["<=", high], ["<", high + 1n]);
  }
  return `${field} in ${intervalsText(of, BYTES_MAX, bytesText)}`;
}

function bound(field: string, ...ways: [string, bigint][]): string {
  const texts = ways.filter(([, value]) => value >= 0n && value <= BYTES_MAX)
    .map(([operator, value]) => ({ operator, text: bytesText(value) }));
  const shortest = texts.reduce((best, way) => way.text.length < best.text.length ? way : best);
  return `${field} ${shortest.operator} ${shortest.text}`;
}

function intervalsText(
  intervals: readonly Interval[],
  largest: bigint,
  write: (value: bigint) => string,
): string {
  return intervals.map(({ low, high }) => {
    if (low === high) return write(low);
    if (high === largest) return `${write(low)}..`;
    return largest === ID_MAX
      ? `${write(low)} to ${write(high)}`
      : `${write(low)}..${write(high + 1n)}`;
  }).join(", ");
}

function maskText(mask: number, table: ReadonlyMap<string, number>): string {
  return [...table].filter(([, bit]) => mask & bit).map(([name]) => name).join(", ");
}

function weekdaysText(mask: number): string {
  const days = [...WEEKDAYS.values()].filter((day) => mask >> day & 1);
  const [first, last] = [days[0]!, days.at(-1)!];
  const run = days.length > 2 && last - first === days.length - 1;
  if (run) return `${nameOf(WEEKDAYS, first)} to ${nameOf(WEEKDAYS, last)}`;
  return days.map((day) => nameOf(WEEKDAYS, day)).join(", ");
}

function timeRange({ low, high }: { low: number; high: number }): string {
  return `${clock(low)}..${clock(high + 1)}`;
}

function clock(second: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const seconds = second % 60 === 0 ? "" : `:${part(second % 60)}`;
  return `${part(second / 3600)}:${part(second / 60 % 60)}${seconds}`;
}

function stringText(text: string): string {
  const escaped = text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  return `"${escaped}"`;
}
