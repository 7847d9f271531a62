// SPDX-License-Identifier: MIT
// What the host needs for guests. Programs that tests call inside of them are the host's as well.

import { install } from "../peers.ts";

const PROGRAMS: Record<string, string> = {
  blkdiscard: "util-linux",
  blkzone: "util-linux",
  busybox: "busybox-static",
  depmod: "kmod",
  fio: "fio",
  "fsck.btrfs": "btrfs-progs",
  "fsck.ext4": "e2fsprogs",
  gcc: "gcc",
  lz4: "lz4",
  make: "make",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "nbd-client": "nbd-client",
  nbdkit: "nbdkit",
  python3: "python3",
  "qemu-system-x86_64": "qemu-system-x86",
  xz: "xz-utils",
  zstd: "zstd",
};

/** Installs what is missing, which takes root. Throws Error that names it otherwise. */
export async function prepareMachine(): Promise<void> {
  await install(PROGRAMS);
}
