// SPDX-License-Identifier: MIT
// Fuzzes the NBD protocol in process: mutated streams of clients against handshake, requests and
// replies, held against an independent reading of what the client sent.
//   deno run -A tests/fuzz/nbd.ts [--streams N] [--seed S] [--jobs J] [--only STREAM]

import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import type { Findings, Share } from "./nbd_worker.ts";

/**
 * One stream takes far less than a millisecond; a thread this long at one is in a loop. Processor
 * time, since a thread on a busy machine may wait for its turn for long.
 */
const STUCK_CPU_SECONDS = 20;
const LOOK_MS = 1000;
const REPORT_MS = 10_000;
/** Memory of the process may not grow by more than this while it runs. */
const GROWTH_BYTES_MAX = 400 * 1024 * 1024;
const HIGH = 4294967296;

/** What to fuzz. */
export interface FuzzOptions {
  streams: number;
  seed: number;
  jobs: number;
  /** Number of the first stream. */
  first: number;
}

/** Fuzzes; returns whether all went well, having said how it went. */
export async function fuzz(options: FuzzOptions): Promise<boolean> {
  const { streams, seed, jobs, first } = options;
  const start = performance.now();
  const before = Deno.memoryUsage().rss;
  const shares = Array.from({ length: jobs }, (_, job): Share => ({
    seed,
    first: first + job,
    end: first + streams,
    step: jobs,
    current: new Int32Array(new SharedArrayBuffer(8)),
  }));
  const watch = watchShares(shares, streams, first, before);
  try {
    const findings = await Promise.all(shares.map(runInWorker));
    return report(findings, options, (performance.now() - start) / 1000);
  } finally {
    clearInterval(watch);
  }
}

function runInWorker(share: Share): Promise<Findings> {
  const worker = new Worker(new URL("./nbd_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Findings>();
  worker.onmessage = (event: MessageEvent<Findings>) => resolve(event.data);
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(share);
  return promise.finally(() => worker.terminate());
}

/** Says how far it is; ends the process when a thread is stuck or memory grows without bound. */
function watchShares(
  shares: Share[],
  streams: number,
  first: number,
  before: number,
): ReturnType<typeof setInterval> {
  const since = shares.map(() => ({ index: -1, cpu: cpuSeconds() }));
  let reported = performance.now();
  return setInterval(() => {
    const now = performance.now();
    const cpu = cpuSeconds();
    for (const [job, { current, end, step }] of shares.entries()) {
      const index = (current[0]! >>> 0) + current[1]! * HIGH;
      const seen = since[job]!;
      if (index !== seen.index) since[job] = { index, cpu };
      else if (cpu - seen.cpu > STUCK_CPU_SECONDS * shares.length && index < end - step) {
        console.error(`fuzz: stream ${index} of seed ${shares[job]!.seed} does not end`);
        Deno.exit(1);
      }
    }
    const grown = Deno.memoryUsage().rss - before;
    if (grown > GROWTH_BYTES_MAX) {
      console.error(`fuzz: memory has grown by ${grown >> 20} MiB`);
      Deno.exit(1);
    }
    if (now - reported < REPORT_MS) return;
    reported = now;
    const furthest = Math.max(...since.map(({ index }) => index)) - first;
    const percent = (furthest / streams * 100).toFixed(0);
    console.log(`fuzz: ${percent} %, ${(grown / 1024 / 1024).toFixed(0)} MiB grown`);
  }, LOOK_MS);
}

/** Processor time of all threads of this process. */
function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

function report(findings: Findings[], options: FuzzOptions, seconds: number): boolean {
  const sum = (of: (found: Findings) => number) => findings.reduce((all, one) => all + of(one), 0);
  const streams = sum((found) => found.streams);
  const transmissions = sum((found) => found.transmissions);
  console.log(
    `fuzz: ${streams} streams of seed ${options.seed} in ${seconds.toFixed(1)} s, ` +
      `${(streams / seconds).toFixed(0)} per second on ${options.jobs} threads; ` +
      `${transmissions} reached transmission, ${
        sum((found) => found.requests)
      } requests answered, ` +
      `${sum((found) => found.inputBytes)} bytes in, ${
        sum((found) => found.outputBytes)
      } bytes out`,
  );
  for (const { failure } of findings) {
    if (failure === null) continue;
    console.error(
      `fuzz: stream ${failure.index} of seed ${options.seed} failed: ${failure.message}`,
    );
    console.error(`the stream: ${failure.stream}`);
    console.error(`again: tests/fuzz/nbd.ts --seed ${options.seed} --only ${failure.index}`);
  }
  return findings.every(({ failure }) => failure === null);
}

function integer(name: string, text: string, min: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new RangeError(`cannot use --${name} "${text}": give a whole number from ${min}`);
}

function parse(args: string[]): FuzzOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      streams: { ...text, default: "100000" },
      seed: { ...text, default: `${Date.now() % 1_000_000_000}` },
      jobs: { ...text, default: "1" },
      only: text,
    },
  });
  const seed = integer("seed", values.seed, 0);
  if (values.only !== undefined) {
    return { seed, first: integer("only", values.only, 0), streams: 1, jobs: 1 };
  }
  const streams = integer("streams", values.streams, 1);
  return { seed, streams, first: 0, jobs: integer("jobs", values.jobs, 1) };
}

if (import.meta.main) {
  try {
    Deno.exit(await fuzz(parse(Deno.args)) ? 0 : 1);
  } catch (error) {
    console.error(`fuzz: error: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
