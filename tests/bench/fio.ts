// SPDX-License-Identifier: MIT
// The load: fio with its nbd engine (libnbd underneath), one process per run. fio(1).

import { isRandom, type Row, writes } from "./rows.ts";

/** What one run of fio measured. */
export interface Sample {
  /** Requests per second over all connections. */
  iops: number;
  bytesPerSecond: number;
  /** Bytes read or written in the run. */
  bytes: number;
  /** Median and 99th percentile of completion latency in microseconds. */
  p50Us: number;
  p99Us: number;
  /** Share of a CPU that fio itself used, 1 = one core. */
  clientCpu: number;
}

/** One load on one server. */
export interface Load {
  row: Row;
  uri: string;
  /** Bytes of the export that the load spreads over. */
  size: number;
  runtimeSeconds: number;
  /** Runs with the same seed ask for the same blocks in the same order. */
  seed: number;
}

const COMMON = [
  "--name=bench",
  "--ioengine=nbd",
  "--thread=1",
  "--group_reporting=1",
  // fio's own work per request is kept small: it shares the machine with the server.
  "--scramble_buffers=0",
  "--norandommap=1",
  "--output-format=json",
];

/** The arguments of fio for `load`. */
export function fioArguments(load: Load): string[] {
  const { row } = load;
  const args = [
    ...COMMON,
    `--uri=${load.uri}`,
    `--rw=${row.pattern}`,
    `--bs=${row.blockBytes}`,
    `--iodepth=${row.depth}`,
    `--numjobs=${row.connections}`,
    "--time_based=1",
    `--runtime=${Math.round(load.runtimeSeconds * 1000)}ms`,
    `--randseed=${load.seed}`,
  ];
  if (isRandom(row.pattern)) return [...args, `--size=${load.size}`];
  // Sequential streams have a part of the export each, as those of a parallel copy have.
  const share = load.size / row.connections;
  return [...args, `--size=${share}`, `--offset_increment=${share}`];
}

/** The arguments of fio that write the whole export once, with bytes that do not compress. */
export function fillArguments(uri: string, size: number): string[] {
  return [...COMMON, `--uri=${uri}`, "--rw=write", "--bs=1m", "--iodepth=8", `--size=${size}`];
}

/** The part of fio's JSON that is read here. */
interface Direction {
  io_bytes: number;
  bw_bytes: number;
  iops: number;
  clat_ns: { percentile?: Record<string, number> };
}

interface FioOutput {
  jobs: {
    error: number;
    read: Direction;
    write: Direction;
    usr_cpu: number;
    sys_cpu: number;
  }[];
}

/**
 * Reads the JSON that fio printed; lines before it (libnbd greets) are passed over. Throws Error
 * when there is none, when fio counted an error, or when nothing was transferred.
 */
export function parseFio(text: string, row: Row): Sample {
  const from = text.indexOf("{");
  if (from < 0) throw new Error(`cannot read fio's output: no JSON in ${JSON.stringify(text)}`);
  const output = JSON.parse(text.slice(from)) as FioOutput;
  const job = output.jobs[0];
  if (job === undefined) throw new Error("cannot read fio's output: it has no job");
  if (job.error !== 0) throw new Error(`cannot use fio's run: it ended with errno ${job.error}`);
  const direction = writes(row.pattern) ? job.write : job.read;
  if (!(direction.io_bytes > 0)) throw new Error("cannot use fio's run: nothing was transferred");
  const percentile = direction.clat_ns.percentile ?? {};
  return {
    iops: direction.iops,
    bytesPerSecond: direction.bw_bytes,
    bytes: direction.io_bytes,
    p50Us: (percentile["50.000000"] ?? NaN) / 1000,
    p99Us: (percentile["99.000000"] ?? NaN) / 1000,
    clientCpu: (job.usr_cpu + job.sys_cpu) * row.connections / 100,
  };
}

/** Runs fio and returns what it printed. Throws Error with its last words when it fails or hangs. */
export async function runFio(args: string[], timeoutMs: number): Promise<string> {
  let child;
  try {
    child = new Deno.Command("fio", { args, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error('cannot run "fio": it is not installed; Debian\'s package is fio');
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  if (late) throw new Error(`cannot wait for fio: it did not end within ${timeoutMs} ms`);
  if (!success) {
    const last = decoder.decode(stderr).trim().split("\n").at(-1);
    throw new Error(`cannot use fio's run: ${last || "it failed without a word"}`);
  }
  return decoder.decode(stdout);
}
