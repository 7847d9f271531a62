// SPDX-License-Identifier: MIT
// deno task bench: sandblock, its peers and the physical limit under the same loads in one run.

import { installPeers, newerPeers, unpackNewerPeers } from "../peers.ts";
import { availableBytes, describeMachine, load } from "./machine.ts";
import { benchFilters } from "./filters.ts";
import { findServers } from "./find_servers.ts";
import { FOOTPRINT_SECONDS, measureFootprints } from "./footprint.ts";
import { makeFile } from "./make_file.ts";
import { benchNodes } from "./nodes.ts";
import { HELP, type Options, parseOptions, UsageError } from "./options.ts";
import { type BenchResult, otherWork } from "./result.ts";
import { MEDIA, type Medium } from "./rows.ts";
import { type Bench, estimateSeconds, runRows } from "./run_rows.ts";
import type { Server } from "./servers.ts";
import { subjectOf, summarize } from "./summary.ts";
import { formatText } from "./table.ts";
import { checkTargets } from "./targets.ts";

const NEWER = ["nbdkit-new", "qemu-nbd-new", "nbd-server-new"];

/** A disk per server that keeps its own, the two shared files, and half a disk to spare. */
function checkMemory(servers: Server[], size: number): void {
  const own = servers.filter(({ family }) => ["sandblock", "limit", "nbdkit"].includes(family));
  const needed = (own.length + 2.5) * size;
  const available = availableBytes();
  if (needed <= available) return;
  const gigabytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  throw new UsageError(
    `cannot hold the disks of ${servers.length} servers: ${gigabytes(needed)} GiB of memory are ` +
      `needed and ${gigabytes(available)} GiB are there; use a smaller --size or fewer --servers`,
  );
}

/** Installs and unpacks what is missing, as the tests do; what cannot be got is told and left out. */
async function getPeers(options: Options, wanted: (id: string) => boolean): Promise<void> {
  try {
    await installPeers();
    const newer = NEWER.some(wanted) && options.peers === newerPeers();
    if (newer) await unpackNewerPeers();
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
  }
}

/** What was asked for by name must be there, and sandblock where nothing was: it is the subject. */
function requireServers(options: Options, servers: Server[]): void {
  for (const id of options.servers ?? ["sandblock"]) {
    if (servers.some((server) => server.id === id)) continue;
    throw new UsageError(`cannot measure ${id}: it is missing, as told above`);
  }
}

async function emptyResult(options: Options, servers: Server[]): Promise<BenchResult> {
  return {
    format: 1,
    takenAt: new Date().toISOString(),
    machine: await describeMachine(options.fileDirectory),
    settings: {
      size: options.size,
      runtimeSeconds: options.runtimeSeconds,
      repetitions: options.repetitions,
      retries: options.retries,
      patienceSeconds: options.patienceSeconds,
    },
    servers: servers.map(({ id, family, version }) => ({ id, family, version })),
    rows: [],
    footprints: [],
    peakBytes: {},
    failures: [],
  };
}

function tellPlan(options: Options, servers: Server[], result: BenchResult): void {
  const seconds = estimateSeconds(options.rows, servers, result) +
    (options.footprint ? FOOTPRINT_SECONDS * servers.length : 0);
  const { repetitions, runtimeSeconds } = result.settings;
  console.log(
    `${options.rows.length} rows x ${servers.length} servers x ${repetitions} runs of ` +
      `${runtimeSeconds} s${options.footprint ? ", and measurements without load" : ""}: about ` +
      `${seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`}`,
  );
  if (options.retries > 0) {
    console.log(`Runs that other work disturbs are repeated, up to ${options.retries} times each`);
  }
  for (const { id, family, version } of servers) {
    console.log(
      `  ${id.padEnd(15)} ${family === "limit" ? "tests/bench/limit.c" : `${family} ${version}`}`,
    );
  }
}

async function measure(
  options: Options,
  servers: Server[],
  result: BenchResult,
  directory: string,
) {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  const name = directory.split("/").at(-1)!;
  const files: Record<Medium, string> = {
    memory: `/dev/shm/${name}`,
    file: `${options.fileDirectory}/${name}.img`,
  };
  const bench: Bench = {
    result,
    servers,
    rows: options.rows,
    directory,
    files,
    signal: stop.signal,
    say: (text) => console.error(text),
    save() {
      const row = result.rows.at(-1);
      if (row) console.error(`  ${row.row.name} done`);
      result.machine.loadAfter = load();
      if (options.json) {
        Deno.writeTextFileSync(options.json, JSON.stringify(result, null, 1) + "\n");
      }
    },
  };
  try {
    const used = MEDIA.filter((medium) => options.rows.some((row) => row.medium === medium));
    for (const medium of MEDIA) {
      if (used.includes(medium) || (medium === "memory" && options.footprint)) {
        makeFile(files[medium], options.size);
      }
    }
    if (options.footprint) await measureFootprints(bench);
    await runRows(bench, used);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.removeSignalListener(signal, onSignal);
    }
    for (const path of Object.values(files)) {
      try {
        Deno.removeSync(path);
      } catch { /* it was not made */ }
    }
  }
  return stop.signal.aborted;
}

/** Runs the benchmark; the exit status. */
async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  const directory = Deno.makeTempDirSync({ prefix: "sandblock-bench-" });
  try {
    if (options.filters) return await benchFilters(options, directory);
    if (options.nodes) return await benchNodes(options, directory);
    const wanted = (id: string) => options.servers?.includes(id) ?? true;
    await getPeers(options, wanted);
    const found = await findServers({ ...options, directory }, wanted);
    for (const line of found.missing) console.error(`missing: ${line}`);
    const { servers } = found;
    requireServers(options, servers);
    checkMemory(servers, options.size);
    const result = await emptyResult(options, servers);
    result.failures.push(...found.missing);
    tellPlan(options, servers, result);
    if (options.plan) return 0;
    const interrupted = await measure(options, servers, result, directory);
    const checks = subjectOf(result) === "sandblock" ? checkTargets(result) : [];
    for (const table of summarize(result, checks)) console.log(`\n${formatText(table)}`);
    for (const line of result.failures) console.log(`not measured: ${line}`);
    if (result.rows.length > 0) {
      const { median, maximum } = otherWork(result);
      console.log(
        `other work on the machine: ${median.toFixed(2)} cores, at most ${maximum.toFixed(2)}`,
      );
    }
    const missed = checks.filter((check) => !check.passed);
    for (const { subject, promise, measured } of missed) {
      console.log(`FAIL ${subject}: ${promise}; measured ${measured}`);
    }
    console.log(`${checks.length - missed.length} of ${checks.length} promises hold`);
    if (interrupted) return 1;
    if (result.failures.length > found.missing.length) return 1;
    return options.check && missed.length > 0 ? 2 : 0;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`bench: ${error.message}`);
    Deno.exit(1);
  }
}
