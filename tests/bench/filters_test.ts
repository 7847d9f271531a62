// SPDX-License-Identifier: MIT
// The comparison of filters: what is started, what is promised, and the table.

import assert from "node:assert/strict";
import { Command, Request } from "../../core/block/request.ts";
import { connectionFacts } from "../../core/policy/connection.ts";
import { Guard, PolicyInstance } from "../../core/policy/guard.ts";
import { loadPolicy } from "../../core/policy/loaded.ts";
import { exampleResult, run } from "./example_result.ts";
import {
  bootRecord,
  policyText,
  selectStacks,
  stackRowName,
  STACKS,
  stackServers,
} from "./filter_stacks.ts";
import { checkFilters, filterTable } from "./filter_targets.ts";
import { parseOptions, UsageError } from "./options.ts";
import { replaceSection } from "./report.ts";
import type { BenchResult } from "./result.ts";
import { ROWS } from "./rows.ts";

const PLACE = { medium: "memory", size: 2 ** 28, directory: "/d", file: "/f" } as const;
const VERSIONS = { sandblock: "1", nbdkit: "2" };

function commandLines(name: string, medium: "memory" | "file" = "memory"): string[] {
  const [stack] = selectStacks([name]);
  return stackServers(stack!, "/bin/sandblock", VERSIONS).map((server) => {
    const { command, args } = server.launch({ ...PLACE, medium });
    return [server.id, command, ...args].join(" ");
  });
}

/** A result of one row of a stack. */
function resultOf(stack: string, rates: Record<string, number[]>): BenchResult {
  const result = exampleResult({});
  const row = ROWS.find((one) => one.name === "memory/randread-16")!;
  const runs = Object.entries(rates).map(([id, list]) => [id, list.map(run)]);
  const name = stackRowName(selectStacks([stack])[0]!, "memory", "randread-16");
  return { ...result, rows: [{ row: { ...row, name }, runs: Object.fromEntries(runs) }] };
}

Deno.test("a stack runs on both programs, each without filters and with them", () => {
  assert.deepEqual(commandLines("cow"), [
    "sandblock /bin/sandblock serve --unix /d/socket memory 269484032",
    "sandblock+ /bin/sandblock serve --unix /d/socket --filter cow memory 269484032 cow-block-size=4096",
    "nbdkit nbdkit -f -U /d/socket memory 269484032",
    "nbdkit+ nbdkit -f -U /d/socket --filter=cow memory 269484032 cow-block-size=4096",
  ]);
  assert.match(commandLines("five")[1]!, /(--filter offset ){5}memory/);
  assert.match(commandLines("five")[3]!, /(--filter=nofilter ){5}memory/);
  assert.match(commandLines("stats", "file")[3]!, /--filter=stats file \/f statsfile=\/dev\/null$/);
});

Deno.test("the policy has as many rules as it says, and lets everything pass", () => {
  const { policy } = loadPolicy(new TextEncoder().encode(policyText(50)), "bench");
  assert.equal(
    policyText(50).split("\n").length,
    52,
    "the default, the rules, the end of the last line",
  );
  const guard = new Guard(
    new PolicyInstance(policy, () => {}),
    connectionFacts("unix:pid=1,uid=0,gid=0", ""),
    "",
  );
  const request = new Request();
  for (const command of [Command.Read, Command.Write, Command.Flush]) {
    request.command = command;
    request.lengthLow = command === Command.Flush ? 0 : 4096;
    assert.equal(guard.check(request), 0);
  }
});

Deno.test("a partition begins after 1 MiB and is as large as what is measured", () => {
  const view = new DataView(bootRecord(2 ** 28).buffer);
  assert.equal(view.getUint32(454, true) * 512, 2 ** 20);
  assert.equal(view.getUint32(458, true) * 512, 2 ** 28);
  assert.equal(view.getUint16(510, true), 0xaa55);
  assert.match(commandLines("partition")[1]!, /--filter partition data data=@446 0 0 0 0 131 /);
  assert.match(commandLines("partition")[0]!, /memory 269484032$/, "without a table");
});

Deno.test("what a filter may cost is promised for passing on, and to be ahead for all", () => {
  const verdicts = (stack: string, ...rates: number[]) => {
    const ids = ["sandblock", "sandblock+", "nbdkit", "nbdkit+"];
    const result = resultOf(stack, Object.fromEntries(ids.map((id, i) => [id, [rates[i]!]])));
    return checkFilters(result).map(({ promise, passed }) => `${promise}: ${passed}`);
  };
  assert.deepEqual(verdicts("pass", 100, 97, 50, 40), [
    ">= 0.97 x without: true",
    "> nbdkit's same filters: true",
  ]);
  assert.deepEqual(verdicts("pass", 100, 96, 50, 96), [
    ">= 0.97 x without: false",
    "> nbdkit's same filters: false",
  ]);
  assert.deepEqual(verdicts("five", 100, 88, 50, 40)[0], ">= 0.88 x without: true");
  assert.deepEqual(verdicts("cache", 100, 50, 50, 40), ["> nbdkit's same filters: true"]);
});

Deno.test("the table says what filters cost in both", () => {
  const rates = { sandblock: [100e3], "sandblock+": [98e3], nbdkit: [50e3], "nbdkit+": [40e3] };
  const result = resultOf("pass", rates);
  const { head, body } = filterTable(result, checkFilters(result));
  assert.equal(head.length, body[0]!.length);
  assert.deepEqual(body[0], [
    "one that passes everything on: memory, 4k randread, depth 16",
    "98.0k",
    "2.0",
    "40.0k",
    "20.0",
    "2.45",
    "PASS",
  ]);
});

Deno.test("--filters and --stacks choose what is compared", () => {
  const options = parseOptions(["--stacks", "cow,rate", "--quick"])!;
  assert.equal(options.filters, true);
  assert.deepEqual(options.stacks.map(({ name }) => name), ["cow", "rate"]);
  assert.equal(options.rows.length, 4);
  assert.equal(parseOptions(["--filters"])!.stacks.length, STACKS.length);
  assert.equal(parseOptions(["--quick"])!.filters, false);
  assert.throws(() => parseOptions(["--stacks", "cwo"]), (error) => {
    return error instanceof UsageError &&
      /no such stack; stacks: pass five cow/.test(error.message);
  });
});

Deno.test("the section about filters has markers of its own", () => {
  const page = ["", " filters,"].map((what) =>
    `<!-- begin:${what} written by tests/bench/report.ts -->\nold\n` +
    `<!-- end:${what} written by tests/bench/report.ts -->\n`
  ).join("\n");
  const once = replaceSection(page, "new", "filters");
  assert.match(once, /begin: filters, [^>]*>\n\nnew\n\n<!-- end: filters,/);
  assert.match(once, /begin: written [^>]*>\nold\n/);
});
