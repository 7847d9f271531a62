// SPDX-License-Identifier: MIT
// What a run of the benchmark leaves behind: the JSON file that the table, the plot and the page in
// docs/ are made from.

import type { Sample } from "./fio.ts";
import type { Row } from "./rows.ts";
import type { Server } from "./servers.ts";
import { median, pairedRatio } from "./statistics.ts";

/** One run of one load on one server. */
export interface Run extends Sample {
  /** CPU seconds that the server and its children used. */
  serverCpuSeconds: number;
  /** Cores that neither the server nor fio kept busy meanwhile: other work spoils the numbers. */
  otherCpu: number;
}

/** A row: per server (by id) one run per repetition, null where it failed. */
export interface RowResult {
  row: Row;
  runs: Record<string, (Run | null)[]>;
}

/** What a server needs without load. Null: it could not be measured; `failures` says why. */
export interface Footprint {
  server: string;
  /** Milliseconds from the spawn to the greeting, each start. */
  startMs: number[];
  /** The most that was resident, in bytes: an empty memory disk, before and after reading it. */
  peakEmptyBytes: number | null;
  peakReadBytes: number | null;
  /** Share of a core with 4 clients connected that ask nothing. */
  idleCpu: number | null;
  /** What 1,000 connections that ask nothing add, in bytes. */
  idleConnectionsBytes: number | null;
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  system: string;
  /** Kind of the file system that the file of the file rows lies on. */
  fileSystem: string;
  fio: string;
  /** One-minute load average before and after: other work on the machine spoils the numbers. */
  loadBefore: number;
  loadAfter: number;
}

export interface Settings {
  size: number;
  runtimeSeconds: number;
  repetitions: number;
  /** How often a run may be repeated because other work disturbed it. */
  retries: number;
  /** How long a run may wait for other work to end. */
  patienceSeconds: number;
}

/** See the top of this file. */
export interface BenchResult {
  format: 1;
  /** ISO 8601. */
  takenAt: string;
  machine: Machine;
  settings: Settings;
  servers: Pick<Server, "id" | "family" | "version">[];
  rows: RowResult[];
  footprints: Footprint[];
  /** The most that was resident while the rows of a medium ran, in bytes: `memory/nbdkit`. */
  peakBytes: Record<string, number>;
  /** What could not be measured and why, one line each. */
  failures: string[];
}

/** The values of `pick` of all runs of `server` that did not fail. */
export function valuesOf(result: RowResult, server: string, pick: (run: Run) => number): number[] {
  return (result.runs[server] ?? []).filter((run) => run !== null).map(pick);
}

/** The median of `pick` over the runs of `server`; NaN where it has none. */
export function medianOf(result: RowResult, server: string, pick: (run: Run) => number): number {
  return median(valuesOf(result, server, pick));
}

/** How many times faster than `theirs` the server `ours` is: median of the paired runs. */
export function ratioOf(result: RowResult, ours: string, theirs: string): number {
  const rates = (server: string) =>
    (result.runs[server] ?? []).map((run) => run?.bytesPerSecond ?? null);
  return pairedRatio(rates(ours), rates(theirs));
}

/** CPU seconds that a server used for each GiB it moved. */
export function cpuPerGiB(run: Run): number {
  return run.serverCpuSeconds / (run.bytes / 2 ** 30);
}

/** How much other work went on during the runs: median and maximum, in cores. */
export function otherWork(result: BenchResult): { median: number; maximum: number } {
  const all = result.rows.flatMap((row) =>
    Object.keys(row.runs).flatMap((id) => valuesOf(row, id, (run) => run.otherCpu))
  );
  return { median: median(all), maximum: Math.max(0, ...all) };
}
