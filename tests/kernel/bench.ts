// SPDX-License-Identifier: MIT
// How fast devices of sandblock are in the kernel, beside others of the same size in the same guest:
// deno task bench:kernel [--kernel 6.1|6.12|7.2] [--count] [--seconds N] [--rounds N] [--only PATTERN]
// Each round has all of them once, one after the other; figures are medians of the rounds.
// With --count the clock of the guest counts instructions, so that other work of the host does not show:
// figures are then for a processor of one instruction per nanosecond, and include fio's own.

import { succeedInGuest } from "./guest.ts";
import { isKernelVersion, type KernelVersion } from "./kernels.ts";
import { prepareGuests } from "./main.ts";
import { builtModule } from "./module.ts";
import { builtProgram } from "./programs.ts";
import { prelude } from "./script.ts";

/** What is measured: name, and fio's options. */
const ROWS: readonly (readonly [string, string])[] = [
  ["4k random read, depth 32", "--rw=randread --bs=4k --ioengine=libaio --iodepth=32"],
  ["4k random write, depth 32", "--rw=randwrite --bs=4k --ioengine=libaio --iodepth=32"],
  ["4k random read, depth 1", "--rw=randread --bs=4k --ioengine=psync"],
  ["256k read, depth 8", "--rw=read --bs=256k --ioengine=libaio --iodepth=8"],
];

interface Target {
  name: string;
  /** Leaves the device's path in $dev. */
  begin: string;
  end: string;
  kernels: readonly KernelVersion[];
}

const ALL: readonly KernelVersion[] = ["6.1", "6.12", "7.2"];

/** Devices of our module, whose parameters are `parameters`: "$module" is its path. */
function bdus(name: string, parameters: string, attach: string, detach: string): Target {
  return {
    name,
    begin: `insmod $module ${parameters}; ${attach}`,
    end: `${detach}; eventually 20 rmmod bdus`,
    kernels: ALL,
  };
}

const ATTACH_BDUS = "dev=$(sandblock attach --via bdus memory 64M)";
/** A driver in C, which is in a process of its own. */
const driverInC = (command: string) =>
  `${command} > id 2> /dev/null & driver=$!; eventually 10 test -s id; ` +
  "dev=/dev/bdus-$(cat id); eventually 10 test -b $dev";
const END_DRIVER = "pkill -9 bdus_; wait $driver || true";

function nbd(name: string, begin: string, end: string): Target {
  return { name, begin, end, kernels: ALL };
}

const DETACH = "sandblock detach $dev";
const nbdkit = (connections: number) =>
  "modprobe nbd; nbdkit -U /tmp/n.sock -P /tmp/n.pid memory 64M; eventually 10 test -e /tmp/n.pid; " +
  `nbd-client -C ${connections} -unix /tmp/n.sock /dev/nbd5; dev=/dev/nbd5`;
const END_NBDKIT = "nbd-client -d $dev; kill $(cat /tmp/n.pid); eventually 10 test ! -e /tmp/n.pid";

const TARGETS: readonly Target[] = [
  {
    name: "null_blk",
    begin: "modprobe null_blk gb=1 memory_backed=1 queue_mode=2 submit_queues=1; dev=/dev/nullb0",
    end: "rmmod null_blk",
    kernels: ALL,
  },
  {
    name: "sandblock, ublk",
    begin: "dev=$(sandblock attach --via ublk memory 64M)",
    end: "sandblock detach $dev",
    kernels: ["6.12", "7.2"],
  },
  bdus("sandblock, bdus", "", ATTACH_BDUS, "sandblock detach $dev"),
  bdus("sandblock, BDUS 0.1", "rings=n", ATTACH_BDUS, "sandblock detach $dev"),
  bdus("C, rings", "", driverInC("$bdus_ring_driver 67108864 1 128 well"), END_DRIVER),
  bdus("C, BDUS 0.1", "", driverInC("$bdus_driver 67108864 0"), END_DRIVER),
  nbd("sandblock, nbd", `dev=$(sandblock attach --via nbd memory 64M)`, DETACH),
  nbd("sandblock, nbd, 4", `dev=$(sandblock attach --via nbd --connections 4 memory 64M)`, DETACH),
  nbd("nbdkit, nbd-client", nbdkit(1), END_NBDKIT),
  nbd("nbdkit, nbd-client, 4", nbdkit(4), END_NBDKIT),
  nbd(
    "sandblock, nbd, file",
    `truncate -s 64M /dev/shm/s.img; dev=$(sandblock attach --via nbd file /dev/shm/s.img)`,
    DETACH,
  ),
  nbd(
    "qemu-nbd -c, file",
    "truncate -s 64M /dev/shm/q.img; modprobe nbd; dev=/dev/nbd6; " +
      "qemu-nbd --fork --pid-file=/tmp/q.pid -f raw -c $dev /dev/shm/q.img; " +
      "until read sectors < /sys/block/nbd6/size && [ $sectors -gt 0 ]; do sleep 0.01; done",
    "qemu-nbd -d $dev; eventually 10 test ! -e /tmp/q.pid",
  ),
];

interface Choice {
  kernel: KernelVersion;
  seconds: number;
  rounds: number;
  countInstructions: boolean;
  only: RegExp;
}

async function script({ kernel, seconds, rounds, only }: Choice): Promise<string> {
  const targets = TARGETS.filter(({ name, kernels }) =>
    kernels.includes(kernel) && only.test(name)
  );
  const parts = targets.map((target) =>
    `start=$(date +%s%N)
${target.begin}
echo "RESULT|${target.name}|until usable, ms|$((($(date +%s%N) - start) / 1000000))"
echo none > /sys/block/$\{dev#/dev/}/queue/scheduler
dd if=/dev/urandom of=$dev bs=1M count=64 oflag=direct status=none
${ROWS.map(([row, options]) => measure(target.name, row, options, seconds)).join("\n")}
${target.end}`
  );
  const all = `for round in $(seq ${rounds}); do\n${parts.join("\n")}\ndone\n`;
  return prelude() + await paths(kernel) + all;
}

/** What is built for this: $module, and the drivers in C. */
async function paths(kernel: KernelVersion): Promise<string> {
  const drivers: string[] = [];
  for (const name of ["bdus_driver", "bdus_ring_driver"]) {
    drivers.push(`${name}=${await builtProgram(name)}`);
  }
  return `module=${await builtModule(kernel)}; ${drivers.join("; ")}\n`;
}

/** Fields 8 and 49 of fio's terse output are IOPS of reads and writes. */
function measure(target: string, row: string, options: string, seconds: number): string {
  const fio = `fio --name=x --filename=$dev --direct=1 --size=64M --time_based ` +
    `--runtime=${seconds} --output-format=terse ${options}`;
  return `echo "RESULT|${target}|${row}|$(${fio} | awk -F';' '{print $8 + $49}')"`;
}

function parse(args: readonly string[]): Choice {
  const choice: Choice = {
    kernel: "6.12",
    seconds: 3,
    rounds: 3,
    countInstructions: false,
    only: /^/,
  };
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    const value = args[at + 1] ?? "";
    if (word === "--count") choice.countInstructions = true;
    else if (word === "--seconds" && Number(value) > 0) choice.seconds = Number(args[++at]);
    else if (word === "--rounds" && Number(value) > 0) choice.rounds = Number(args[++at]);
    else if (word === "--only") choice.only = new RegExp(args[++at] ?? "");
    else if (word === "--kernel" && isKernelVersion(value)) {
      choice.kernel = args[++at] as KernelVersion;
    } else throw new Error(`cannot use "${args.slice(at).join(" ")}"`);
  }
  return choice;
}

async function main(args: readonly string[]): Promise<void> {
  const choice = parse(args);
  const { kernel, countInstructions } = choice;
  await prepareGuests([kernel]);
  const output = await succeedInGuest(await script(choice), {
    kernel,
    countInstructions,
    memoryMegabytes: 2560,
    timeoutMs: 3_600_000,
  });
  const figures = new Map<string, number[]>();
  for (const [, target, row, value] of output.matchAll(/^RESULT\|(.*?)\|(.*?)\|(.*)$/gm)) {
    const key = `${target!.padEnd(22)} ${row!.padEnd(28)}`;
    figures.set(key, [...figures.get(key) ?? [], Number(value)]);
  }
  for (const [key, values] of figures) {
    const sorted = values.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)]!;
    console.log(`${key} ${`${median}`.padStart(10)}   ${values.join(" ")}`);
  }
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`bench:kernel: error: ${(error as Error).message}`);
  Deno.exit(1);
}
