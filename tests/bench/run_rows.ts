// SPDX-License-Identifier: MIT
// Runs rows: all servers of a medium stay up, hold a full disk, and take the same load in turn.

import { fillArguments, fioArguments, parseFio, runFio } from "./fio.ts";
import { busySeconds, cpuSeconds, ownCpuSeconds, peakBytes } from "./processes.ts";
import type { BenchResult, RowResult, Run } from "./result.ts";
import type { Medium, Row } from "./rows.ts";
import { ServerProcess } from "./server_process.ts";
import type { Server } from "./servers.ts";
import { rotated } from "./statistics.ts";

/** A discarded run before the first of a row: the first requests of a kind warm caches up. */
const WARM_UP_SECONDS = 0.3;
/** What fio takes to start, connect and end. */
export const FIO_OVERHEAD_SECONDS = 0.35;
const FIO_GRACE_MS = 30_000;
/** Cores that other work may keep busy during a run; a run with more is repeated, if that may be. */
const OTHER_CPU_MAX = 0.2;
const QUIET_SAMPLE_MS = 100;
const FILL_TIMEOUT_MS = 120_000;

/** What all runs share. */
export interface Bench {
  result: BenchResult;
  servers: Server[];
  rows: Row[];
  /** For sockets. */
  directory: string;
  /** The file that servers of files serve, by medium. */
  files: Record<Medium, string>;
  signal: AbortSignal;
  /** Called with what is going on, for people. */
  say(text: string): void;
  /** Called after every row. */
  save(): void;
}

/** Seconds that `runRows` will take, filling disks not counted. */
export function estimateSeconds(rows: Row[], servers: Server[], bench: BenchResult): number {
  const { repetitions, runtimeSeconds, patienceSeconds } = bench.settings;
  const sample = patienceSeconds > 0 ? QUIET_SAMPLE_MS / 1000 : 0;
  return rows.reduce((sum, row) => {
    const count = servers.filter((server) => server.media.includes(row.medium)).length;
    const run = runtimeSeconds + FIO_OVERHEAD_SECONDS + sample;
    return sum + count * (repetitions * run + WARM_UP_SECONDS + FIO_OVERHEAD_SECONDS);
  }, 0);
}

async function runOnce(
  bench: Bench,
  server: ServerProcess,
  row: Row,
  seconds: number,
  seed: number,
): Promise<Run | null> {
  const { size } = bench.result.settings;
  const args = fioArguments({ row, uri: server.uri, size, runtimeSeconds: seconds, seed });
  const before = cpuSeconds(server.pid);
  const accounted = ownCpuSeconds();
  const busy = busySeconds();
  const since = performance.now();
  try {
    const text = await runFio(args, seconds * 1000 + FIO_GRACE_MS);
    const elapsed = (performance.now() - since) / 1000;
    const serverCpuSeconds = cpuSeconds(server.pid) - before;
    const other = busySeconds() - busy - serverCpuSeconds - (ownCpuSeconds() - accounted);
    return { ...parseFio(text, row), serverCpuSeconds, otherCpu: Math.max(0, other / elapsed) };
  } catch (error) {
    if (bench.signal.aborted) return null;
    const line = `${row.name}, ${server.server.id}: ${(error as Error).message}`;
    bench.say(line);
    if (!bench.result.failures.includes(line)) bench.result.failures.push(line);
    return null;
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the machine is quiet, for the patience that the settings have at most. */
async function waitForQuiet(bench: Bench): Promise<void> {
  const until = performance.now() + bench.result.settings.patienceSeconds * 1000;
  while (performance.now() < until && !bench.signal.aborted) {
    const busy = busySeconds();
    const since = performance.now();
    await sleep(QUIET_SAMPLE_MS);
    const seconds = (performance.now() - since) / 1000;
    if ((busySeconds() - busy) / seconds <= OTHER_CPU_MAX) return;
  }
}

/** A run, taken again while other work disturbs it and retries are left: the least disturbed one. */
async function runCalm(
  bench: Bench,
  server: ServerProcess,
  row: Row,
  seed: number,
): Promise<Run | null> {
  const { runtimeSeconds, retries } = bench.result.settings;
  let best: Run | null = null;
  for (let attempt = 0; attempt <= retries && !bench.signal.aborted; attempt++) {
    await waitForQuiet(bench);
    const run = await runOnce(bench, server, row, runtimeSeconds, seed);
    if (run === null) return best;
    if (best === null || run.otherCpu < best.otherCpu) best = run;
    if (best.otherCpu <= OTHER_CPU_MAX) break;
  }
  return best;
}

async function runRow(bench: Bench, servers: ServerProcess[], row: Row): Promise<RowResult> {
  const { repetitions } = bench.result.settings;
  const result: RowResult = { row, runs: {} };
  for (const server of servers) {
    result.runs[server.server.id] = [];
    if (!bench.signal.aborted) await runOnce(bench, server, row, WARM_UP_SECONDS, 1);
  }
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const server of rotated(servers, repetition)) {
      if (bench.signal.aborted) return result;
      const run = await runCalm(bench, server, row, repetition + 2);
      result.runs[server.server.id]!.push(run);
    }
  }
  return result;
}

/** Starts a server and has its disk written once, so that reads find data everywhere. */
async function startFull(bench: Bench, server: Server, medium: Medium): Promise<ServerProcess> {
  const { size } = bench.result.settings;
  const directory = `${bench.directory}/${medium}-${server.id}`;
  const running = await ServerProcess.start(server, {
    medium,
    size,
    directory,
    file: bench.files[medium],
  });
  try {
    await runFio(fillArguments(running.uri, size), FILL_TIMEOUT_MS);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

async function runMedium(bench: Bench, medium: Medium, rows: Row[]): Promise<void> {
  const running: ServerProcess[] = [];
  try {
    for (const server of bench.servers.filter((one) => one.media.includes(medium))) {
      if (bench.signal.aborted) return;
      bench.say(`${medium}: starting ${server.id}, writing its disk once`);
      try {
        running.push(await startFull(bench, server, medium));
      } catch (error) {
        const line = `${medium}, ${server.id}: ${(error as Error).message}`;
        bench.say(line);
        bench.result.failures.push(line);
      }
    }
    for (const row of rows) {
      if (bench.signal.aborted) return;
      const result = await runRow(bench, running, row);
      bench.result.rows.push(result);
      for (const server of running) {
        const peak = peakBytes(server.pid);
        if (peak > 0) bench.result.peakBytes[`${medium}/${server.server.id}`] = peak;
      }
      bench.save();
    }
  } finally {
    for (const server of running) await server.stop();
  }
}

/** Runs all rows of `bench`, one medium after the other, into `bench.result`. */
export async function runRows(bench: Bench, media: readonly Medium[]): Promise<void> {
  for (const medium of media) {
    const rows = bench.rows.filter((row) => row.medium === medium);
    if (rows.length > 0) await runMedium(bench, medium, rows);
  }
}
