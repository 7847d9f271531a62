// SPDX-License-Identifier: MIT
// What sandblock has promised of filters, as checks of a result of `--filters`, and its table.

import { STACKS } from "./filter_stacks.ts";
import { type BenchResult, ratioOf, type RowResult } from "./result.ts";
import { describeRow, formatRate } from "./summary.ts";
import { formatNumber, type Table } from "./table.ts";
import type { Check } from "./targets.ts";

/** Without filters and with them. */
const BARE = "sandblock";
const FILTERED = "sandblock+";
const RIVAL = "nbdkit+";
/** The share that must be left is promised for this depth. */
const PROMISED_DEPTH = 16;

function checkRow(result: RowResult): Check[] {
  const { row } = result;
  const stack = STACKS.find(({ name }) => row.name.startsWith(`${name}/`));
  const checks: Check[] = [];
  const share = ratioOf(result, FILTERED, BARE);
  const isPromised = row.blockBytes === 4096 && row.depth === PROMISED_DEPTH;
  if (stack !== undefined && stack.shareMin > 0 && isPromised && !Number.isNaN(share)) {
    checks.push({
      subject: row.name,
      promise: `>= ${stack.shareMin} x without`,
      measured: `${share.toFixed(3)} x without`,
      passed: share >= stack.shareMin,
    });
  }
  const times = ratioOf(result, FILTERED, RIVAL);
  if (!Number.isNaN(times)) {
    checks.push({
      subject: row.name,
      promise: "> nbdkit's same filters",
      measured: `${times.toFixed(2)} x nbdkit's`,
      passed: times > 1,
    });
  }
  return checks;
}

/** All promises that `result`, of `--filters`, has measurements for. */
export function checkFilters(result: BenchResult): Check[] {
  return result.rows.flatMap(checkRow);
}

const percent = (share: number) => Number.isNaN(share) ? "-" : formatNumber((1 - share) * 100, 1);

/** Rates with filters, what they cost in each server, and how far ahead of nbdkit's they are. */
export function filterTable(result: BenchResult, checks: Check[]): Table {
  const body = result.rows.map((one) => {
    const { row } = one;
    const stack = STACKS.find(({ name }) => row.name.startsWith(`${name}/`));
    const mine = checks.filter((check) => check.subject === row.name);
    const missed = mine.filter((check) => !check.passed).map((check) => check.promise);
    return [
      `${stack?.title ?? row.name}: ${row.medium}, ${describeRow(row)}`,
      formatRate(one, FILTERED),
      percent(ratioOf(one, FILTERED, BARE)),
      formatRate(one, RIVAL),
      percent(ratioOf(one, RIVAL, "nbdkit")),
      formatNumber(ratioOf(one, FILTERED, RIVAL), 2),
      mine.length === 0 ? "-" : missed.length === 0 ? "PASS" : `FAIL ${missed.join(", ")}`,
    ];
  });
  return {
    title:
      "Filters of sandblock and of nbdkit: rates with them, what they cost, and how many times " +
      "as fast sandblock's are",
    head: ["filters", "sandblock", "cost %", "nbdkit", "cost %", "times", "promise"],
    body,
  };
}
