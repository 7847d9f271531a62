// SPDX-License-Identifier: MIT
// The command line of the benchmark.

import assert from "node:assert/strict";
import { parseOptions, UsageError } from "./options.ts";
import { ROWS } from "./rows.ts";

const parse = (...args: string[]) => parseOptions(args)!;

Deno.test("the default is everything", () => {
  const options = parse("--peers", "/peers");
  assert.equal(options.rows.length, ROWS.length);
  assert.equal(options.servers, null);
  assert.equal(options.repetitions, 5);
  assert.equal(options.peers, "/peers");
  assert.ok(options.footprint);
});

Deno.test("--quick gives way to what is named besides it", () => {
  const options = parse(
    "--quick",
    "--servers",
    "sandblock,limit",
    "--rows",
    "randread-1",
    "--repeat",
    "2",
  );
  assert.deepEqual(options.servers, ["sandblock", "limit"]);
  assert.deepEqual(options.rows.map((row) => row.name), ["memory/randread-1", "file/randread-1"]);
  assert.equal(options.repetitions, 2);
  assert.equal(options.runtimeSeconds, 1);
  assert.ok(!options.footprint);
});

Deno.test("--media narrows the rows", () => {
  assert.ok(parse("--media", "file").rows.every((row) => row.medium === "file"));
});

Deno.test("--only-footprint runs no rows", () => {
  const options = parse("--quick", "--only-footprint");
  assert.deepEqual(options.rows, []);
  assert.ok(options.footprint);
});

Deno.test("mistakes are told in one line that names what would be right", () => {
  const mistakes: [string[], RegExp][] = [
    [["--repeats", "3"], /--repeats/],
    [["--servers", "sandblok"], /cannot use --servers "sandblok".*sandblock/],
    [["--rows", "randread-3"], /cannot select row "randread-3".*randread-16/],
    [["--media", "tape"], /cannot use --media "tape": the media are memory and file/],
    [["--repeat", "0"], /cannot use --repeat "0": it must be a number from 1/],
    [["--runtime", "soon"], /cannot use --runtime "soon"/],
    [["--size", "5000000"], /multiple of 4 MiB/],
  ];
  for (const [args, message] of mistakes) {
    assert.throws(() => parse(...args), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  }
});
