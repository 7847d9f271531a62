// SPDX-License-Identifier: MIT
// deno task bench --filters: what filters cost, in sandblock and in nbdkit, in one run. For each stack of
// filters four servers run in turn: both without it and both with it.

import { FILE_EXTRA, removeOwnFile, stackRowName, stackServers } from "./filter_stacks.ts";
import { checkFilters, filterTable } from "./filter_targets.ts";
import { findServers } from "./find_servers.ts";
import { describeMachine, load } from "./machine.ts";
import { makeFile } from "./make_file.ts";
import { type Options, UsageError } from "./options.ts";
import { type BenchResult, otherWork } from "./result.ts";
import { MEDIA, type Medium, type Row } from "./rows.ts";
import { type Bench, estimateSeconds, runRows } from "./run_rows.ts";
import { formatText } from "./table.ts";

/** Versions of both programs. Throws UsageError where one is missing. */
async function findBoth(options: Options, directory: string): Promise<BenchResult["servers"]> {
  const search = { ...options, directory, baseline: null };
  const found = await findServers(search, (id) => id === "sandblock" || id === "nbdkit");
  for (const line of found.missing) throw new UsageError(`cannot compare filters: ${line}`);
  return found.servers.flatMap(({ id, family, version }) => [
    { id, family, version },
    { id: `${id}+`, family, version },
  ]);
}

/** The loads of a stack on a medium, by names of its own. */
function rowsOf(options: Options, stack: Options["stacks"][number], medium: Medium): Row[] {
  return options.rows.filter((row) => row.medium === medium).map((row) => ({
    ...row,
    name: stackRowName(stack, medium, row.name.slice(medium.length + 1)),
  }));
}

async function measure(
  options: Options,
  result: BenchResult,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const name = directory.split("/").at(-1)!;
  const files: Record<Medium, string> = {
    memory: `/dev/shm/${name}`,
    file: `${options.fileDirectory}/${name}.img`,
  };
  const version = (id: string) => result.servers.find((one) => one.id === id)!.version;
  const versions = { sandblock: version("sandblock"), nbdkit: version("nbdkit") };
  try {
    if (options.rows.some((row) => row.medium === "file")) {
      makeFile(files.file, options.size + FILE_EXTRA);
    }
    for (const stack of options.stacks) {
      for (const medium of MEDIA) {
        const bench: Bench = {
          result,
          servers: stackServers(stack, options.executable, versions),
          rows: rowsOf(options, stack, medium),
          directory: `${directory}/${stack.name}`,
          files,
          signal,
          say: (text) => console.error(`${stack.name}: ${text}`),
          save() {
            result.machine.loadAfter = load();
            if (!options.json) return;
            Deno.writeTextFileSync(options.json, JSON.stringify(result, null, 1) + "\n");
          },
        };
        if (bench.rows.length > 0) await runRows(bench, [medium]);
      }
    }
  } finally {
    for (const path of Object.values(files)) {
      removeOwnFile(path);
      try {
        Deno.removeSync(path);
      } catch { /* it was not made */ }
    }
  }
}

/** Runs it; the exit status. */
export async function benchFilters(options: Options, directory: string): Promise<number> {
  const servers = await findBoth(options, directory);
  const { size, runtimeSeconds, repetitions, retries, patienceSeconds } = options;
  const result: BenchResult = {
    format: 1,
    takenAt: new Date().toISOString(),
    machine: await describeMachine(options.fileDirectory),
    settings: { size, runtimeSeconds, repetitions, retries, patienceSeconds },
    servers,
    rows: [],
    footprints: [],
    peakBytes: {},
    failures: [],
  };
  const each = servers.map((one) => ({ ...one, media: MEDIA, launch: () => null as never }));
  const seconds = options.stacks.length * estimateSeconds(options.rows, each, result);
  console.log(
    `${options.stacks.length} stacks of filters x ${options.rows.length} rows x 4 servers x ` +
      `${repetitions} runs of ${runtimeSeconds} s: about ${Math.ceil(seconds / 60)} min`,
  );
  if (options.plan) return 0;
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  try {
    await measure(options, result, directory, stop.signal);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.removeSignalListener(signal, onSignal);
    }
  }
  return tell(options, result, stop.signal.aborted);
}

function tell(options: Options, result: BenchResult, interrupted: boolean): number {
  const checks = checkFilters(result);
  console.log(`\n${formatText(filterTable(result, checks))}`);
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
  if (interrupted || result.failures.length > 0) return 1;
  return options.check && missed.length > 0 ? 2 : 0;
}
