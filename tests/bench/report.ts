// SPDX-License-Identifier: MIT
// Puts a result into docs/performance.md (between its two markers), and beside it the plot and the
// JSON that both were made from; a result of --filters into the section about filters.
//
//   deno run -A tests/bench/report.ts RESULT.json

import { checkFilters, filterTable } from "./filter_targets.ts";
import { type BenchResult, otherWork } from "./result.ts";
import { summarize } from "./summary.ts";
import { formatMarkdown } from "./table.ts";
import { checkTargets } from "./targets.ts";
import { plot } from "./plot.ts";

/** Markers around a part that is written; `what` is "" for the servers, or "filters". */
function markers(what: string): [string, string] {
  const name = what === "" ? "" : ` ${what},`;
  const marker = (word: string) => `<!-- ${word}:${name} written by tests/bench/report.ts -->`;
  return [marker("begin"), marker("end")];
}

const gibibytes = (bytes: number) => `${+(bytes / 2 ** 30).toFixed(1)} GiB`;

function conditions(result: BenchResult): string {
  const { machine, settings, servers } = result;
  const other = otherWork(result);
  const named = servers.filter(({ family }) => family !== "limit")
    .map(({ family, version }) => `${family} ${version}`);
  const versions = [...new Set(named)].join(", ");
  return [
    `Taken on ${result.takenAt.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ` +
    `${gibibytes(machine.memoryBytes)} of memory, ${machine.system}, Linux ${machine.kernel}. ` +
    `Load average ${machine.loadBefore.toFixed(2)} before and ${machine.loadAfter.toFixed(2)} ` +
    "after (the benchmark itself makes most of the latter). Other work kept " +
    `${other.median.toFixed(2)} cores busy during a run (median; at most ` +
    `${other.maximum.toFixed(2)}).`,
    "",
    `${versions}; fio ${machine.fio}. Disks of ${gibibytes(settings.size)}, ` +
    `${settings.repetitions} runs of ${settings.runtimeSeconds} s of every row on every server; ` +
    `the file of the file rows lies on ${machine.fileSystem} and is in the page cache.`,
  ].join("\n");
}

/** The section of docs/performance.md for `result`, in Markdown. */
export function section(result: BenchResult): string {
  const checks = checkTargets(result);
  const missed = checks.filter((check) => !check.passed);
  const parts = [
    conditions(result),
    "![Speed of all servers relative to sandblock](performance.svg)",
    ...summarize(result, checks).map((table) => formatMarkdown(table).trimEnd()),
    `${checks.length - missed.length} of ${checks.length} promises hold.`,
  ];
  if (missed.length > 0) {
    parts.push(
      missed.map((one) => `- missed: ${one.subject}: ${one.promise}; measured ${one.measured}`)
        .join("\n"),
    );
  }
  if (result.failures.length > 0) {
    parts.push(result.failures.map((line) => `- not measured: ${line}`).join("\n"));
  }
  return parts.join("\n\n");
}

/** The section of docs/performance.md for `result` of `--filters`, in Markdown. */
export function filterSection(result: BenchResult): string {
  const checks = checkFilters(result);
  const held = checks.filter(({ passed }) => passed).length;
  return [
    conditions(result),
    formatMarkdown(filterTable(result, checks)).trimEnd(),
    `${held} of ${checks.length} promises hold.`,
    ...result.failures.map((line) => `- not measured: ${line}`),
  ].join("\n\n");
}

/** `page` with what lies between the markers of `what` replaced. Throws Error where it has none. */
export function replaceSection(page: string, text: string, what = ""): string {
  const [begin, end] = markers(what);
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`cannot write the report: the page lacks the line "${begin}" or "${end}"`);
  }
  return `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`;
}

if (import.meta.main) {
  const [from] = Deno.args;
  if (from === undefined) {
    console.error("report: cannot write the report: no result is given");
    Deno.exit(1);
  }
  const result = JSON.parse(Deno.readTextFileSync(from)) as BenchResult;
  const docs = new URL("../../docs/", import.meta.url).pathname;
  const page = Deno.readTextFileSync(`${docs}performance.md`);
  const isFilters = result.servers.some(({ id }) => id.endsWith("+"));
  const text = isFilters ? filterSection(result) : section(result);
  const what = isFilters ? "filters" : "";
  Deno.writeTextFileSync(`${docs}performance.md`, replaceSection(page, text, what));
  if (!isFilters) {
    Deno.writeTextFileSync(`${docs}performance.svg`, plot(result));
    Deno.writeTextFileSync(`${docs}performance.json`, `${JSON.stringify(result)}\n`);
  }
}
