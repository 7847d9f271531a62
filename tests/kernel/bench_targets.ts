// SPDX-License-Identifier: MIT
// What bench.ts measures: devices of the same size in one guest, and the ways they are used.

import type { KernelVersion } from "./kernels.ts";

/** Size of every device, or of the part of it that is used. */
export const SIZE_MEGABYTES = 32;

/** What is measured: name, and fio's options. */
export const ROWS: readonly (readonly [string, string])[] = [
  ["4k random read, depth 32", "--rw=randread --bs=4k --ioengine=libaio --iodepth=32"],
  ["4k random write, depth 32", "--rw=randwrite --bs=4k --ioengine=libaio --iodepth=32"],
  ["4k random read, depth 1", "--rw=randread --bs=4k --ioengine=psync"],
  ["256k read, depth 8", "--rw=read --bs=256k --ioengine=libaio --iodepth=8"],
];

/** A device. All of them are there at the same time. */
export interface Target {
  name: string;
  /** Leaves the device's path in $dev, and a process that `end` needs in $driver. */
  begin: string;
  end: string;
  kernels: readonly KernelVersion[];
}

const ALL: readonly KernelVersion[] = ["6.1", "6.12", "7.2"];
const DETACH = "sandblock detach $dev";

/** A device of our module, "$module" is its path. */
function bdus(name: string, begin: string, end: string): Target {
  const load = "[ -d /sys/module/bdus ] || insmod $module";
  return { name, begin: `${load}; ${begin}`, end, kernels: ALL };
}

const attach = (via: string) => `dev=$(sandblock attach --via ${via} memory ${SIZE_MEGABYTES}M)`;
/** What is made now speaks BDUS 0.1. */
const withoutRings = (begin: string) => {
  const parameter = "/sys/module/bdus/parameters/rings";
  return `echo N > ${parameter}; ${begin}; echo Y > ${parameter}`;
};
/** A driver in C, which is in a process of its own. */
const driverInC = (name: string, options: string) =>
  `$${name} ${SIZE_MEGABYTES << 20} ${options} > ${name}.id 2> /dev/null & driver=$!; ` +
  `eventually 10 test -s ${name}.id; dev=/dev/bdus-$(cat ${name}.id); eventually 10 test -b $dev`;
const endDriver = (name: string) => `pkill -9 ${name}; wait $driver || true`;

function nbd(name: string, begin: string, end: string): Target {
  return { name, begin, end, kernels: ALL };
}

function nbdkit(name: string, connections: number, dev: string): Target {
  const socket = `/tmp/nbdkit${connections}.sock`;
  const pid = `/tmp/nbdkit${connections}.pid`;
  return nbd(
    name,
    `modprobe nbd; nbdkit -U ${socket} -P ${pid} memory ${SIZE_MEGABYTES}M; ` +
      `eventually 10 test -e ${pid}; nbd-client -C ${connections} -unix ${socket} ${dev}; dev=${dev}`,
    // It leaves its files behind.
    `nbd-client -d $dev; kill $(cat ${pid}); rm ${pid} ${socket}`,
  );
}

export const TARGETS: readonly Target[] = [
  {
    name: "null_blk",
    begin: "modprobe null_blk gb=1 memory_backed=1 queue_mode=2 submit_queues=1; dev=/dev/nullb0",
    end: "rmmod null_blk",
    kernels: ALL,
  },
  {
    name: "sandblock, ublk",
    begin: attach("ublk"),
    end: DETACH,
    kernels: ["6.12", "7.2"],
  },
  bdus("sandblock, bdus", attach("bdus"), DETACH),
  bdus("sandblock, BDUS 0.1", withoutRings(attach("bdus")), DETACH),
  bdus("C, rings", driverInC("bdus_ring_driver", "1 128 well"), endDriver("bdus_ring")),
  bdus("C, BDUS 0.1", driverInC("bdus_driver", "0"), endDriver("bdus_driver")),
  nbd("sandblock, nbd", attach("nbd"), DETACH),
  nbd("sandblock, nbd, 4", attach("nbd --connections 4"), DETACH),
  nbdkit("nbdkit, nbd-client", 1, "/dev/nbd10"),
  nbdkit("nbdkit, nbd-client, 4", 4, "/dev/nbd11"),
  nbd(
    "sandblock, nbd, file",
    `truncate -s ${SIZE_MEGABYTES}M /dev/shm/s.img; ` +
      "dev=$(sandblock attach --via nbd file /dev/shm/s.img)",
    DETACH,
  ),
  nbd(
    "qemu-nbd -c, file",
    `truncate -s ${SIZE_MEGABYTES}M /dev/shm/q.img; modprobe nbd; dev=/dev/nbd12; ` +
      // It keeps its socket there.
      "mkdir -p /run/lock; qemu-nbd --fork -f raw -c $dev /dev/shm/q.img; " +
      "until read sectors < /sys/block/nbd12/size && [ $sectors -gt 0 ]; do sleep 0.01; done",
    "qemu-nbd -d $dev; eventually 10 sh -c '! pgrep -x qemu-nbd'",
  ),
];

/** What is said about a target besides how it compares to null_blk: it to another. */
export const PAIRS: readonly (readonly [string, string])[] = [
  ["sandblock, bdus", "sandblock, BDUS 0.1"],
  ["sandblock, bdus", "C, BDUS 0.1"],
  ["C, rings", "C, BDUS 0.1"],
  ["sandblock, nbd", "nbdkit, nbd-client"],
  ["sandblock, nbd, 4", "nbdkit, nbd-client, 4"],
  ["sandblock, nbd, file", "qemu-nbd -c, file"],
];
