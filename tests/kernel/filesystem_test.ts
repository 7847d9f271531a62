// SPDX-License-Identifier: MIT
// File systems on attached devices under a load that knows what must be in each file (fs_load.c), while
// the process that serves them dies and is exchanged.

import type { KernelVersion } from "./kernels.ts";
import { builtProgram } from "./programs.ts";
import { wayTest } from "./ways.ts";

interface FileSystem {
  name: string;
  make: string;
  /** Changes nothing, and fails where something is wrong. */
  check: string;
  megabytes: number;
  kernels: readonly KernelVersion[];
}

const DEBIAN: readonly KernelVersion[] = ["6.1", "6.12", "7.2"];

/** Each with the smallest device that its mkfs takes, and some more. */
const FILE_SYSTEMS: readonly FileSystem[] = [
  {
    name: "ext4",
    make: "mkfs.ext4 -q",
    check: "fsck.ext4 -fn",
    megabytes: 96,
    kernels: [...DEBIAN, "debug"],
  },
  {
    name: "xfs",
    make: "mkfs.xfs -q -f",
    check: "xfs_repair -n",
    megabytes: 320,
    kernels: [...DEBIAN, "debug"],
  },
  {
    name: "btrfs",
    make: "mkfs.btrfs -q -f",
    check: "btrfs check --readonly",
    megabytes: 160,
    kernels: DEBIAN,
  },
];

for (const { name, make, check, megabytes, kernels } of FILE_SYSTEMS) {
  wayTest(
    `${name} keeps all files while it is trimmed and its server is killed and exchanged`,
    async () => `
truncate -s ${megabytes}M disk.img
dev=$(sandblock attach $via --timeout $((3 * slowness))s file disk.img)
${make} $dev
mkdir m; mount $dev m
${await builtProgram("fs_load")} run m 3 $((15 * slowness)) $RANDOM & load=$!
sleep $((2 * slowness))
fstrim -v m
kill -9 $(device_pid $dev)
sandblock attach --recover $dev file disk.img
sleep $slowness
sandblock attach --replace $dev --filter stats file disk.img
fstrim -v m
wait $load
umount m
${check} $dev
mount $dev m
[ "$(ls m/w0 | wc -l)" -ge 10 ]
umount m
sandblock detach $dev
${check} disk.img`,
    { thorough: true, among: kernels, timeoutMs: 480_000 },
  );
}
