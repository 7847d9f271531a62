// SPDX-License-Identifier: MIT
// What sandblock has promised to reach, as checks of a result. Ratios are medians of paired runs.

import { type BenchResult, type Footprint, ratioOf, type RowResult } from "./result.ts";
import { isRandom, type Row, writes } from "./rows.ts";
import { isPeer } from "./servers.ts";
import { median } from "./statistics.ts";

/** One promise and what was measured. */
export interface Check {
  /** Name of the row, or "footprint". */
  subject: string;
  /** The promise in words: `>= 3 x nbdkit`. */
  promise: string;
  /** What was measured, in words. */
  measured: string;
  passed: boolean;
}

const SUBJECT = "sandblock";
const LIMIT_SHARE = 0.7;
const IDLE_CPU_MAX = 0.005;
const PEAK_EMPTY_MAX = 120e6;
const START_MS_MAX = 150;
const IDLE_CONNECTIONS_MAX = 60e6;

/** How many times nbdkit's rate `row` has to reach; 0 where there is no such promise. */
export function timesNbdkit(row: Row): number {
  if (row.connections > 1) return 0;
  if (row.medium === "file") return isRandom(row.pattern) && row.depth === 1 ? 2 : 0;
  if (!isRandom(row.pattern)) return 2;
  if (row.depth === 1) return 3;
  return writes(row.pattern) ? 1.5 : 1.8;
}

interface Rival {
  id: string;
  ratio: number;
}

/** The server of `ids` that sandblock is least ahead of; null where none was measured. */
function closest(result: RowResult, ids: string[]): Rival | null {
  let least: Rival | null = null;
  for (const id of ids) {
    const ratio = ratioOf(result, SUBJECT, id);
    if (!Number.isNaN(ratio) && (least === null || ratio < least.ratio)) least = { id, ratio };
  }
  return least;
}

function checkRow(result: RowResult, servers: BenchResult["servers"]): Check[] {
  const checks: Check[] = [];
  const { row } = result;
  const add = (rival: Rival | null, promise: string, passes: (ratio: number) => boolean) => {
    if (rival === null) return;
    const measured = `${rival.ratio.toFixed(2)} x ${rival.id}`;
    checks.push({ subject: row.name, promise, measured, passed: passes(rival.ratio) });
  };
  const idsOf = (test: (server: BenchResult["servers"][number]) => boolean) =>
    servers.filter(test).map((server) => server.id);
  const times = timesNbdkit(row);
  if (times > 0) {
    const rival = closest(result, idsOf((server) => server.family === "nbdkit"));
    add(rival, `>= ${times} x nbdkit`, (ratio) => ratio >= times);
  }
  add(closest(result, idsOf(isPeer)), "> best peer", (ratio) => ratio > 1);
  const limit = closest(result, idsOf((server) => server.family === "limit"));
  add(limit, `>= ${LIMIT_SHARE} x limit`, (ratio) => ratio >= LIMIT_SHARE);
  return checks;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

function checkFootprint(footprint: Footprint): Check[] {
  const checks: Check[] = [];
  const add = (
    promise: string,
    value: number | null,
    limit: number,
    words: (value: number) => string,
  ) => {
    const passed = value !== null && value <= limit;
    const measured = value === null ? "not measured" : words(value);
    checks.push({ subject: "footprint", promise: promise, measured, passed });
  };
  const { startMs, peakReadBytes, idleCpu, idleConnectionsBytes } = footprint;
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  add("start <= 150 ms", median(startMs), START_MS_MAX, (ms) => `${ms.toFixed(0)} ms`);
  add("idle with 4 clients < 0.5 % of a core", idleCpu, IDLE_CPU_MAX, percent);
  add("peak, empty memory disk <= 120 MB", peakReadBytes, PEAK_EMPTY_MAX, megabytes);
  add("1,000 idle connections <= 60 MB", idleConnectionsBytes, IDLE_CONNECTIONS_MAX, megabytes);
  return checks;
}

/** All promises that `result` has measurements for. */
export function checkTargets(result: BenchResult): Check[] {
  const footprint = result.footprints.find((one) => one.server === SUBJECT);
  return [
    ...result.rows
      .filter((row) => row.runs[SUBJECT] !== undefined)
      .flatMap((row) => checkRow(row, result.servers)),
    ...(footprint ? checkFootprint(footprint) : []),
  ];
}
