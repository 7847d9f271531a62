// SPDX-License-Identifier: MIT
// A small made-up result for the tests of what is made from results.

import type { BenchResult, Run } from "./result.ts";
import { ROWS } from "./rows.ts";

/** A run of `iops` requests of 4 KiB in a second. */
export function run(iops: number): Run {
  return {
    iops,
    bytesPerSecond: iops * 4096,
    bytes: 2 ** 30,
    p50Us: 12,
    p99Us: 34,
    clientCpu: 1,
    serverCpuSeconds: 0.5,
    otherCpu: 0.01,
  };
}

/** Two rows, sandblock, the limit and two peers; the rates are of row `memory/randread-1`. */
export function exampleResult(rates: Record<string, (number | null)[]>): BenchResult {
  const row = ROWS.find((one) => one.name === "memory/randread-1")!;
  const runs = Object.fromEntries(
    Object.entries(rates).map((
      [id, values],
    ) => [id, values.map((v) => v === null ? null : run(v))]),
  );
  return {
    format: 1,
    takenAt: "2026-01-02T03:04:05.000Z",
    machine: {
      cpu: "A CPU",
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      kernel: "6.1.0",
      system: "Debian GNU/Linux 12 (bookworm)",
      fileSystem: "ext2/ext3",
      fio: "3.33",
      loadBefore: 0.1,
      loadAfter: 1.9,
    },
    settings: { size: 2 ** 30, runtimeSeconds: 2, repetitions: 3, retries: 2, patienceSeconds: 2 },
    servers: [
      { id: "sandblock", family: "sandblock", version: "0.1.0" },
      { id: "limit", family: "limit", version: "C" },
      { id: "nbdkit", family: "nbdkit", version: "1.32.5" },
      { id: "qemu-nbd", family: "qemu-nbd", version: "7.2.22" },
    ].filter(({ id }) => id in rates) as BenchResult["servers"],
    rows: [{ row, runs }],
    footprints: [],
    peakBytes: { "memory/nbdkit": 1096e6 },
    failures: [],
  };
}
