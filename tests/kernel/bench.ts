// SPDX-License-Identifier: MIT
// How fast devices of sandblock are in the kernel, beside others of the same size in the same guest:
// deno task bench:kernel [--kernel 6.1|6.12|7.2] [--count] [--processors N] [--rounds N] [--seconds N]
//   [--only PATTERN] [--attach]
// Each round measures every device once, one after the other; one round goes before those that count, as
// programs of V8 are slow at first. What is printed is the median of the rounds, and of the ratios of each.
// With --attach, rounds only make all devices and end them: how long is it until they can be used?
// With --count the clock of the guest, which then has one processor, counts instructions, so that other
// work of the host does not show: figures are for a processor of one instruction per nanosecond.

import { PAIRS, ROWS, SIZE_MEGABYTES, type Target, TARGETS } from "./bench_targets.ts";
import { succeedInGuest } from "./guest.ts";
import { isKernelVersion, type KernelVersion } from "./kernels.ts";
import { prepareGuests } from "./main.ts";
import { builtModule } from "./module.ts";
import { builtProgram } from "./programs.ts";
import { prelude } from "./script.ts";

interface Choice {
  kernel: KernelVersion;
  countInstructions: boolean;
  processors: number;
  rounds: number;
  seconds: number;
  only: RegExp;
  onlyAttaches: boolean;
}

/** What was measured: for each row and target the requests per second of each round. */
type Results = Map<string, Map<string, number[]>>;

function parse(args: readonly string[]): Choice {
  const choice: Choice = {
    kernel: "6.12",
    countInstructions: false,
    processors: 2,
    rounds: 3,
    seconds: 3,
    only: /^/,
    onlyAttaches: false,
  };
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === "--count") choice.countInstructions = true;
    else if (word === "--attach") choice.onlyAttaches = true;
    else if (word === "--processors") choice.processors = positive(word, args[++at]);
    else if (word === "--rounds") choice.rounds = positive(word, args[++at]);
    else if (word === "--seconds") choice.seconds = positive(word, args[++at]);
    else if (word === "--only") choice.only = new RegExp(args[++at] ?? "");
    else if (word === "--kernel" && isKernelVersion(args[at + 1] ?? "")) {
      choice.kernel = args[++at] as KernelVersion;
    } else throw new Error(`cannot use "${args.slice(at).join(" ")}"`);
  }
  return choice;
}

function positive(option: string, word = ""): number {
  const value = Number(word);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`cannot use ${option} "${word}": it is a whole number from 1 on`);
}

async function script(choice: Choice, targets: readonly Target[]): Promise<string> {
  const { kernel, rounds, onlyAttaches } = choice;
  const fields = targets.map((target, index) => ({ ...target, index }));
  const begin = fields.map(({ name, index, begin }) =>
    `start=$(date +%s%N)
${begin}
echo "RESULT|until usable, ms|${name}|$((($(date +%s%N) - start) / 1000000))"
dev_${index}=$dev; driver_${index}=$\{driver-}`
  );
  const prepare = fields.map(({ index }) =>
    `echo none > /sys/block/$\{dev_${index}#/dev/}/queue/scheduler
dd if=random of=$dev_${index} bs=1M oflag=direct status=none`
  );
  const end = fields.toReversed().map(({ index, end }) =>
    `dev=$dev_${index}; driver=$driver_${index}\n${end}`
  );
  return [
    prelude() + await paths(kernel),
    `dd if=/dev/urandom of=random bs=1M count=${SIZE_MEGABYTES} status=none`,
    ...onlyAttaches
      ? [`for round in $(seq ${rounds}); do`, ...begin, ...end, "done"]
      : [...begin, ...prepare, ...measurements(choice, targets), ...end],
    "[ ! -d /sys/module/bdus ] || eventually 20 rmmod bdus",
  ].join("\n");
}

/** One round more than is asked for, of which nothing is told. */
function measurements({ rounds, seconds }: Choice, targets: readonly Target[]): string[] {
  const fio = "fio --name=x --direct=1 --time_based --output-format=terse " +
    `--size=${SIZE_MEGABYTES}M --runtime=${seconds}`;
  // Fields 8 and 49 of fio's terse output are IOPS of reads and writes.
  const one = ROWS.flatMap(([row, options]) =>
    targets.map(({ name }, index) =>
      `value=$(${fio} ${options} --filename=$dev_${index} | awk -F';' '{print $8 + $49}')
[ $round = 0 ] || echo "RESULT|${row}|${name}|$value"`
    )
  );
  return [`for round in $(seq 0 ${rounds}); do`, ...one, "done"];
}

/** What is built for this: $module, and the drivers in C. */
async function paths(kernel: KernelVersion): Promise<string> {
  const drivers: string[] = [];
  for (const name of ["bdus_driver", "bdus_ring_driver"]) {
    drivers.push(`${name}=${await builtProgram(name)}`);
  }
  return `module=${await builtModule(kernel)}; ${drivers.join("; ")}\n`;
}

function resultsIn(output: string): Results {
  const results: Results = new Map();
  for (const [, row, target, value] of output.matchAll(/^RESULT\|(.*?)\|(.*?)\|(.*)$/gm)) {
    const targets = results.get(row!) ?? new Map<string, number[]>();
    targets.set(target!, [...targets.get(target!) ?? [], Number(value)]);
    results.set(row!, targets);
  }
  return results;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of one to the other in each round. */
function ratio(one: readonly number[], other: readonly number[]): number {
  return median(one.map((value, round) => value / other[round]!));
}

function print(output: string): void {
  for (const [row, targets] of resultsIn(output)) {
    const floor = row.startsWith("until") ? undefined : targets.get("null_blk");
    for (const [target, values] of targets) {
      const share = floor && target !== "null_blk"
        ? `${(ratio(values, floor) * 100).toFixed(0).padStart(5)} % of null_blk`
        : "";
      const figure = median(values).toFixed(0).padStart(8);
      const all = `[${values.map(Math.round).join(" ")}]`;
      console.log(`${row.padEnd(27)} ${target.padEnd(22)} ${figure} ${share.padEnd(20)} ${all}`);
    }
    for (const [one, other] of PAIRS) {
      const [a, b] = [targets.get(one), targets.get(other)];
      if (a && b) console.log(`${row.padEnd(27)} ${one} / ${other}: ${ratio(a, b).toFixed(2)}`);
    }
  }
}

async function main(args: readonly string[]): Promise<void> {
  const choice = parse(args);
  const { kernel, countInstructions, processors, only } = choice;
  const targets = TARGETS.filter(({ name, kernels }) =>
    kernels.includes(kernel) && only.test(name)
  );
  await prepareGuests([kernel]);
  print(
    await succeedInGuest(await script(choice, targets), {
      kernel,
      countInstructions,
      processors,
      memoryMegabytes: 2560,
      timeoutMs: 3_600_000,
    }),
  );
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`bench:kernel: error: ${(error as Error).message}`);
  Deno.exit(1);
}
