// SPDX-License-Identifier: MIT
// What fio is asked for, and how its JSON is read.

import assert from "node:assert/strict";
import { fioArguments, parseFio } from "./fio.ts";
import { ROWS } from "./rows.ts";

const rowNamed = (name: string) => ROWS.find((row) => row.name === name)!;
const randread = rowNamed("memory/randread-16x4");
const write = rowNamed("file/write-1m");

/** An excerpt of what fio 3.33 prints for `--output-format=json`. */
function output(changes: Record<string, unknown> = {}): string {
  const idle = { io_bytes: 0, bw_bytes: 0, iops: 0, clat_ns: {} };
  const job = {
    jobname: "bench",
    error: 0,
    read: {
      io_bytes: 355323904,
      bw_bytes: 354968935,
      iops: 86662.337662,
      clat_ns: { percentile: { "50.000000": 138240, "99.000000": 880640 } },
    },
    write: idle,
    usr_cpu: 18.2,
    sys_cpu: 68.9,
    ...changes,
  };
  return `fio: connected to NBD server\n${
    JSON.stringify({ "fio version": "fio-3.33", jobs: [job] })
  }`;
}

function load(name: string) {
  return {
    row: rowNamed(name),
    uri: "nbd+unix:///?socket=s",
    size: 2 ** 30,
    runtimeSeconds: 1.5,
    seed: 7,
  };
}

Deno.test("fio's JSON is found behind the lines that libnbd prints before it", () => {
  assert.deepEqual(parseFio(output(), randread), {
    iops: 86662.337662,
    bytesPerSecond: 354968935,
    bytes: 355323904,
    p50Us: 138.24,
    p99Us: 880.64,
    clientCpu: (18.2 + 68.9) * 4 / 100,
  });
});

Deno.test("a write row reads fio's write half, where nothing was transferred", () => {
  assert.throws(() => parseFio(output(), write), /nothing was transferred/);
});

Deno.test("an error that fio counted makes the run unusable", () => {
  assert.throws(() => parseFio(output({ error: 5 }), randread), /errno 5/);
});

Deno.test("output without JSON is told as it is", () => {
  assert.throws(() => parseFio("fio: no engine\n", randread), /no JSON in "fio: no engine/);
});

Deno.test("random rows spread over the whole disk on every connection", () => {
  const args = fioArguments(load("memory/randread-16x4"));
  for (const arg of ["--numjobs=4", "--iodepth=16", "--bs=4096", "--size=1073741824"]) {
    assert.ok(args.includes(arg), arg);
  }
  assert.ok(args.includes("--runtime=1500ms"));
  assert.ok(args.includes("--randseed=7"));
  assert.ok(!args.some((arg) => arg.startsWith("--offset_increment")));
});

Deno.test("sequential rows give each connection a part of the disk of its own", () => {
  const args = fioArguments(load("file/read-128kx4"));
  assert.ok(args.includes("--size=268435456"));
  assert.ok(args.includes("--offset_increment=268435456"));
});
