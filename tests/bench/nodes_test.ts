// SPDX-License-Identifier: MIT
// Which promises of nodes a result keeps.

import assert from "node:assert/strict";
import { GRAPHS, lines, nodeServer } from "./nodes.ts";
import type { RowResult, Run } from "./result.ts";
import { selectRows } from "./rows.ts";

function run(bytesPerSecond: number): Run {
  const iops = bytesPerSecond / 4096;
  const latency = { p50Us: 1, p99Us: 2, clientCpu: 0.5 };
  return {
    iops,
    bytesPerSecond,
    bytes: bytesPerSecond,
    serverCpuSeconds: 0.1,
    otherCpu: 0,
    ...latency,
  };
}

function result(name: string, rates: Record<string, number>): RowResult {
  const runs = Object.entries(rates).map(([id, rate]) => [id, [run(rate), null, run(rate)]]);
  return { row: selectRows([name])[0]!, runs: Object.fromEntries(runs) };
}

/** Where files are the limit, all is as it has to be. */
const LIMITED = { "limited-file": 100, "limited-mirror": 100, "limited-stripe": 200 };

const missed = (one: RowResult) => {
  return lines(one).filter(({ kept }) => !kept).map(({ text }) => text.split(/ +/)[1]);
};

Deno.test("mirror may write at 45 % of one file, and not read more slowly", () => {
  const rates = { file: 1000, mirror: 460, stripe: 1000, concat: 10, parity: 10, ...LIMITED };
  assert.deepEqual(missed(result("file/randwrite-16", rates)), []);
  assert.deepEqual(missed(result("file/randread-16", rates)), ["mirror"]);
  assert.deepEqual(missed(result("file/write-1m", { ...rates, mirror: 440 })), ["mirror"]);
});

Deno.test("stripe may not be slower than one file", () => {
  const rates = { file: 1000, mirror: 1000, stripe: 990, concat: 10, parity: 10, ...LIMITED };
  assert.deepEqual(missed(result("file/read-1m", rates)), ["stripe"]);
  assert.match(lines(result("file/read-1m", rates))[2]!.text, /0\.99 x .* FAIL: not 1$/);
});

Deno.test("nodes of limited files are compared with one of those", () => {
  const rates = { file: 1000, mirror: 1000, stripe: 1000, concat: 10, parity: 10, ...LIMITED };
  assert.match(lines(result("file/read-1m", rates))[7]!.text, /limited-stripe .* 2\.00 x /);
  assert.deepEqual(missed(result("file/read-1m", { ...rates, "limited-mirror": 99 })), [
    "limited-mirror",
  ]);
});

Deno.test("every graph is served from files of its own beside the one of the row", () => {
  const directory = Deno.makeTempDirSync();
  const file = `${directory}/disk.img`;
  const place = { medium: "file", size: 1 << 20, directory, file } as const;
  const words = GRAPHS.map((graph) => nodeServer(graph, "/sandblock").launch(place).args.slice(3));
  assert.deepEqual(words[1], [
    "mirror",
    "[",
    "file",
    file,
    "]",
    "[",
    "file",
    `${file}.mirror-1`,
    "]",
  ]);
  const limited = ["rate", "rate=800M", "burstiness=100ms", "[", "file", file, "]"];
  assert.deepEqual(words[5], limited);
  assert.deepEqual(words[6]!.slice(0, 9), ["mirror", "[", ...limited]);
  assert(!words[4]!.includes(file), "an array does not write over the file of the others");
  const made = words.flat().filter((word) => word.startsWith(`${file}.`));
  assert.equal(made.length, 8);
  for (const path of made) assert(Deno.statSync(path).size >= place.size);
  Deno.removeSync(directory, { recursive: true });
});
