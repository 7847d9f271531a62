// SPDX-License-Identifier: MIT
// How many requests an export answers and how long it takes, for whoever asked for that. In front of all
// nodes of a device and behind the way that requests come in, so that the time of that way is the rest.

import type { OpenExport } from "../block/device.ts";
import type { ExportInfo } from "../block/export.ts";
import type { MetricSample, NodeMetrics } from "../block/metrics.ts";
import { Command, type Request, type RequestSink, Status } from "../block/request.ts";
import { ZoneCommand } from "../block/zones.ts";

/** Commands that are told, by number. */
const NAMES: Readonly<Record<number, string>> = {
  [Command.Read]: "read",
  [Command.Write]: "write",
  [Command.Flush]: "flush",
  [Command.Trim]: "trim",
  [Command.WriteZeroes]: "zero",
};
const COMMANDS = Math.max(...Object.values(Command), ...Object.values(ZoneCommand)) + 1;
/** Upper bounds of the buckets of a histogram: 2^0 to 2^24 microseconds. */
const BUCKETS = 25;
const BOUNDS = Array.from({ length: BUCKETS }, (_, i) => 2 ** i);
/** Where numbers of a command begin: bytes, errors, microseconds in all; then buckets and one beyond. */
const BYTES = 0;
const ERRORS = 1;
const SUM = 2;
const HISTOGRAM = 3;
const WIDTH = HISTOGRAM + BUCKETS + 1;
const US_PER_MS = 1000;

/** A request that is under way. There is one for each request object, as these are used again and again. */
class Trace {
  sink!: RequestSink;
  startMs = 0;
}

/** What is counted of a device on its reactor. */
export class Profile implements RequestSink {
  readonly #counts = new Float64Array(COMMANDS * WIDTH);
  readonly #traces = new Map<Request, Trace>();

  /** `opened`, with all that goes through it counted. */
  watch(opened: OpenExport): OpenExport {
    return new WatchedExport(opened, this);
  }

  /** Starts a request in `opened`. */
  submit(opened: OpenExport, request: Request): number {
    const trace = this.#traceOf(request);
    trace.sink = request.sink;
    request.sink = this;
    trace.startMs = performance.now();
    const status = opened.submit(request);
    if (status === Status.Pending) return status;
    request.sink = trace.sink;
    this.#count(request, status, trace);
    return status;
  }

  completed(request: Request, errno: number): void {
    const trace = this.#traces.get(request)!;
    request.sink = trace.sink;
    this.#count(request, errno, trace);
    request.sink.completed(request, errno);
  }

  /** All of it as the metrics of a node that stands before the others. */
  metrics(): NodeMetrics {
    const samples = Object.entries(NAMES).flatMap(([command, name]) =>
      this.#samples(Number(command), name)
    );
    return { node: "all", plugin: "device", failures: 0, restarts: 0, samples };
  }

  #traceOf(request: Request): Trace {
    let trace = this.#traces.get(request);
    if (trace === undefined) this.#traces.set(request, trace = new Trace());
    return trace;
  }

  #count(request: Request, errno: number, { startMs }: Trace): void {
    const us = (performance.now() - startMs) * US_PER_MS;
    const at = request.command * WIDTH;
    const counts = this.#counts;
    counts[at + BYTES]! += request.length;
    counts[at + SUM]! += us;
    if (errno !== 0) counts[at + ERRORS]!++;
    // ceil(log2(us)), which is the first bucket that it fits in.
    const bucket = us <= 1 ? 0 : Math.min(BUCKETS, 32 - Math.clz32(Math.ceil(us) - 1));
    counts[at + HISTOGRAM + bucket]!++;
  }

  #samples(command: number, name: string): MetricSample[] {
    const at = command * WIDTH;
    const counts = this.#counts.subarray(at, at + WIDTH);
    const counter = (what: string, description: string, value: number): MetricSample => ({
      name: `${name}_${what}`,
      type: "counter",
      description,
      value,
      bounds: [],
      counts: [],
    });
    return [
      {
        name: `${name}_microseconds`,
        type: "histogram",
        description: `Time that the device takes for a request (${name})`,
        value: counts[SUM]!,
        bounds: BOUNDS,
        counts: [...counts.subarray(HISTOGRAM)],
      },
      counter("bytes", `Bytes that requests are about (${name})`, counts[BYTES]!),
      counter("errors", `Requests that have failed (${name})`, counts[ERRORS]!),
    ];
  }
}

/** An export whose requests are counted. */
class WatchedExport implements OpenExport {
  readonly #opened: OpenExport;
  readonly #profile: Profile;
  readonly place?: (length: number, offsetHigh: number, offsetLow: number) => number;

  constructor(opened: OpenExport, profile: Profile) {
    this.#opened = opened;
    this.#profile = profile;
    if (opened.place) this.place = (length, high, low) => opened.place!(length, high, low);
  }

  get info(): ExportInfo {
    return this.#opened.info;
  }

  get children(): readonly OpenExport[] {
    return this.#opened.children ?? [];
  }

  submit(request: Request): number {
    return this.#profile.submit(this.#opened, request);
  }

  close(): void {
    this.#opened.close();
  }
}
