// SPDX-License-Identifier: MIT
// A result as tables: rates and ratios, latency, CPU, footprint, and the promises.

import {
  type BenchResult,
  cpuPerGiB,
  medianOf,
  ratioOf,
  type RowResult,
  type Run,
  valuesOf,
} from "./result.ts";
import { isRandom, MEDIA, type Row } from "./rows.ts";
import { median, spread } from "./statistics.ts";
import { formatBandwidth, formatCount, formatNumber, type Table } from "./table.ts";
import type { Check } from "./targets.ts";

/** The server that the others are compared with: sandblock, or the first where it did not run. */
export function subjectOf(result: BenchResult): string {
  const ids = result.servers.map((server) => server.id);
  return ids.includes("sandblock") ? "sandblock" : ids[0] ?? "";
}

function titleOf(server: BenchResult["servers"][number]): string {
  return server.family === "limit" ? "limit" : `${server.family} ${server.version}`;
}

/** How a server is called in a table. Builds of sandblock have the same version: there the id. */
export function nameServers(result: BenchResult): Map<string, string> {
  return new Map(
    result.servers.map((one) => [one.id, one.family === "sandblock" ? one.id : titleOf(one)]),
  );
}

/** The median rate of a server in a row, in requests or bytes per second as suits the row. */
export function formatRate(result: RowResult, server: string): string {
  return isRandom(result.row.pattern)
    ? formatCount(medianOf(result, server, (run) => run.iops))
    : formatBandwidth(medianOf(result, server, (run) => run.bytesPerSecond));
}

/** A row in words: `4k randread, depth 16, 4 connections`. */
export function describeRow(row: Row): string {
  const block = row.blockBytes >= 2 ** 20
    ? `${row.blockBytes / 2 ** 20}M`
    : `${row.blockBytes / 1024}k`;
  const connections = row.connections === 1 ? "" : `, ${row.connections} connections`;
  return `${block} ${row.pattern}, depth ${row.depth}${connections}`;
}

/** Rates of the subject, and how many times the rate of each other server that is. */
export function rateTable(result: BenchResult, medium: string, checks: Check[]): Table {
  const subject = subjectOf(result);
  const names = nameServers(result);
  const others = result.servers.map((server) => server.id).filter((id) => id !== subject);
  const body = result.rows.filter((one) => one.row.medium === medium).map((one) => {
    const mine = checks.filter((check) => check.subject === one.row.name);
    const missed = mine.filter((check) => !check.passed);
    const verdict = missed.map((check) => check.promise).join(", ");
    const rates = valuesOf(one, subject, (run) => run.bytesPerSecond);
    return [
      describeRow(one.row),
      formatRate(one, subject),
      `${formatNumber(spread(rates) * 100, 0)} %`,
      ...others.map((id) => formatNumber(ratioOf(one, subject, id), 2)),
      mine.length === 0 ? "-" : missed.length === 0 ? "PASS" : `FAIL ${verdict}`,
    ];
  });
  const head = [medium, names.get(subject)!, "+-", ...others.map((id) => `x ${names.get(id)}`)];
  return {
    title: `${subject} and how many times as fast as the others it is, ${medium}`,
    head: [...head, "promise"],
    body,
  };
}

/** One number per server and row. */
function perServer(
  result: BenchResult,
  title: string,
  rows: RowResult[],
  format: (row: RowResult, server: string) => string,
): Table {
  const names = nameServers(result);
  const ids = result.servers.map((server) => server.id);
  return {
    title,
    head: ["row", ...ids.map((id) => names.get(id)!)],
    body: rows.map((one) => [one.row.name, ...ids.map((id) => format(one, id))]),
  };
}

function latency(run: RowResult, server: string): string {
  const pick = (field: (run: Run) => number) => formatNumber(medianOf(run, server, field), 0);
  return `${pick((one) => one.p50Us)}/${pick((one) => one.p99Us)}`;
}

function footprintTable(result: BenchResult): Table {
  const names = nameServers(result);
  const mega = (bytes: number | null | undefined, digits = 1) =>
    bytes == null ? "-" : formatNumber(bytes / 1e6, digits);
  return {
    title: "Without load, and the most memory under load (disk of the memory rows included)",
    head: [
      "server",
      "start ms",
      "idle CPU %",
      "peak empty MB",
      "after reads MB",
      "1,000 idle connections MB",
      ...MEDIA.map((medium) => `peak ${medium} rows MB`),
    ],
    body: result.servers.map(({ id }) => {
      const one = result.footprints.find((footprint) => footprint.server === id);
      return [
        names.get(id)!,
        formatNumber(one && median(one.startMs), 1),
        one?.idleCpu == null ? "-" : formatNumber(one.idleCpu * 100, 2),
        mega(one?.peakEmptyBytes),
        mega(one?.peakReadBytes),
        mega(one?.idleConnectionsBytes),
        ...MEDIA.map((medium) => mega(result.peakBytes[`${medium}/${id}`], 0)),
      ];
    }),
  };
}

function promiseTable(checks: Check[]): Table {
  return {
    title: "What sandblock promises without load",
    head: ["promise", "measured", ""],
    body: checks.filter((check) => check.subject === "footprint")
      .map((check) => [check.promise, check.measured, check.passed ? "PASS" : "FAIL"]),
  };
}

/** All tables of a result, those without lines left out. */
export function summarize(result: BenchResult, checks: Check[]): Table[] {
  return [
    ...MEDIA.map((medium) => rateTable(result, medium, checks)),
    perServer(result, "Rates", result.rows, formatRate),
    perServer(result, "Latency of a request in microseconds, p50/p99", result.rows, latency),
    perServer(
      result,
      "CPU seconds of the server per GiB",
      result.rows,
      (one, id) => formatNumber(medianOf(one, id, cpuPerGiB), 2),
    ),
    footprintTable(result),
    promiseTable(checks),
  ].filter((table) => table.body.length > 0);
}
