// SPDX-License-Identifier: MIT
// deno task bench --nodes: nodes with several children against one file, under the loads of the file rows.

import { describeMachine } from "./machine.ts";
import { makeFile } from "./make_file.ts";
import type { Options } from "./options.ts";
import { type BenchResult, otherWork, ratioOf, type RowResult, valuesOf } from "./result.ts";
import { type Row, writes } from "./rows.ts";
import { type Bench, estimateSeconds, runRows } from "./run_rows.ts";
import { type Place, sandblock, type Server } from "./servers.ts";
import { median } from "./statistics.ts";

/** What all nodes of files as they are are compared with. */
const BASE = "file";
/** What nodes of files that are the limit are compared with. */
const LIMITED = "limited-file";
/** Far less than a server reaches with two of them. */
const LIMIT = ["rate", "rate=800M", "burstiness=100ms"];

/** A graph of files, and what part of one file's rate it has promised to reach. */
interface Graph {
  id: string;
  base: typeof BASE | typeof LIMITED;
  /** Files besides the one of the row. */
  more: number;
  words(files: string[]): string[];
  reads?: number;
  writes?: number;
}

type Child = (file: string) => string[];

const plain: Child = (file) => ["file", file];
const limited: Child = (file) => [...LIMIT, "[", ...plain(file), "]"];

/** The words of a node above files, each as `child` has it. */
function above(node: string[], child: Child): Graph["words"] {
  return (files) => [...node, ...files.flatMap((file) => ["[", ...child(file), "]"])];
}

/** One file as `child` has it, and the mirror and the stripe of two, which are compared with it. */
function pairs(base: Graph["base"], prefix: string, child: Child): Graph[] {
  const node = (name: string) => ({
    id: prefix + name,
    base,
    more: 1,
    words: above([name], child),
  });
  return [
    { id: base, base, more: 0, words: ([file]) => child(file!) },
    { ...node("mirror"), reads: 1, writes: 0.45 },
    { ...node("stripe"), reads: 1, writes: 1 },
  ];
}

export const GRAPHS: readonly Graph[] = [
  ...pairs(BASE, "", plain),
  { id: "concat", base: BASE, more: 1, words: above(["concat"], plain) },
  { id: "parity", base: BASE, more: 2, words: above(["parity", "create=true"], plain) },
  ...pairs(LIMITED, "limited-", limited),
];

/** The files of a graph; all but the first are made when the server is started. */
function filesOf({ id, more }: Graph, { file }: Place): string[] {
  return [file, ...Array.from({ length: more }, (_, i) => `${file}.${id}-${i + 1}`)];
}

/** sandblock, serving a graph of files. */
export function nodeServer(graph: Graph, executable: string): Server {
  const plain = sandblock(graph.id, executable, "");
  return {
    ...plain,
    media: ["file"],
    launch(place) {
      const files = filesOf(graph, place);
      // An array takes some of its devices for itself, so it gets devices of its own, which are larger.
      if (graph.id === "parity") files[0] = `${place.file}.parity-0`;
      // The page cache of a file that is written at once has larger pieces, which makes reading it faster,
      // so those that are compared with the row's file are made as that was.
      const make = graph.id === "parity" ? makeSparse : makeFile;
      for (const file of files) if (file !== place.file) make(file, place.size);
      const launch = plain.launch(place);
      const at = launch.args.indexOf("file");
      return { ...launch, args: [...launch.args.slice(0, at), ...graph.words(files)] };
    },
  };
}

const PARITY_EXTRA = 64 << 20;

function makeSparse(path: string, size: number): void {
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, size + PARITY_EXTRA);
}

/** Removes the file and what was made beside it. */
function removeFiles(file: string): void {
  const directory = file.slice(0, file.lastIndexOf("/"));
  for (const { name } of Deno.readDirSync(directory)) {
    if (`${directory}/${name}`.startsWith(file)) Deno.removeSync(`${directory}/${name}`);
  }
}

function promiseOf(graph: Graph, row: Row): number {
  return (writes(row.pattern) ? graph.writes : graph.reads) ?? 0;
}

/** One line for each node: its rate, the ratio to one file, CPU per request, and whether it keeps its promise. */
export function lines(result: RowResult): { text: string; kept: boolean }[] {
  return GRAPHS.map((graph) => {
    const ratio = graph.id === graph.base ? 1 : ratioOf(result, graph.id, graph.base);
    const promise = promiseOf(graph, result.row);
    const rate = median(valuesOf(result, graph.id, (run) => run.iops));
    const micros = median(valuesOf(result, graph.id, (run) => {
      return run.serverCpuSeconds * 1e6 / (run.bytes / result.row.blockBytes);
    }));
    const kept = promise === 0 || ratio >= promise;
    const words = promise === 0 ? "" : kept ? `>= ${promise}` : `FAIL: not ${promise}`;
    const text = `${result.row.name.padEnd(20)} ${graph.id.padEnd(14)} ` +
      `${rate.toFixed(0).padStart(8)}/s ${ratio.toFixed(2).padStart(6)} x ` +
      `${micros.toFixed(1).padStart(7)} us CPU  ${words}`;
    return { text: text.trimEnd(), kept };
  });
}

function makeBench(options: Options, result: BenchResult, directory: string): Bench {
  return {
    result,
    servers: GRAPHS.map((graph) => nodeServer(graph, options.executable)),
    rows: options.rows,
    directory,
    files: { memory: "", file: `${options.fileDirectory}/${directory.split("/").at(-1)}.img` },
    signal: new AbortController().signal,
    say: (text) => console.error(text),
    save() {
      for (const { text } of lines(result.rows.at(-1)!)) console.log(text);
    },
  };
}

/** Runs it; the exit status. */
export async function benchNodes(options: Options, directory: string): Promise<number> {
  const { size, runtimeSeconds, repetitions, retries, patienceSeconds } = options;
  const result: BenchResult = {
    format: 1,
    takenAt: new Date().toISOString(),
    machine: await describeMachine(options.fileDirectory),
    settings: { size, runtimeSeconds, repetitions, retries, patienceSeconds },
    servers: [],
    rows: [],
    footprints: [],
    peakBytes: {},
    failures: [],
  };
  const bench = makeBench(options, result, directory);
  const seconds = estimateSeconds(options.rows, bench.servers, result);
  console.log(
    `${options.rows.length} rows x ${GRAPHS.length} graphs: about ${Math.ceil(seconds)} s`,
  );
  if (options.plan) return 0;
  try {
    makeFile(bench.files.file, size);
    await runRows(bench, ["file"]);
  } finally {
    removeFiles(bench.files.file);
  }
  for (const line of result.failures) console.log(`not measured: ${line}`);
  if (result.rows.length > 0) {
    const { median, maximum } = otherWork(result);
    console.log(
      `other work on the machine: ${median.toFixed(2)} cores, at most ${maximum.toFixed(2)}`,
    );
  }
  const missed = result.rows.flatMap(lines).filter(({ kept }) => !kept).length;
  if (result.failures.length > 0) return 1;
  return options.check && missed > 0 ? 2 : 0;
}
