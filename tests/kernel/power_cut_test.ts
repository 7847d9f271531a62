// SPDX-License-Identifier: MIT
// The power of a guest is cut while devices are written to. What had been flushed is on its disk, which
// the host keeps: seen by a second guest.

import assert from "node:assert/strict";
import { runOrExplain } from "../support/private_apt.ts";
import { TestDirectory } from "../support/directory.ts";
import { kernelTest } from "./chosen.ts";
import { runGuest, succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { builtProgram } from "./programs.ts";
import { prelude } from "./script.ts";
import { type Way, wayPrelude, WAYS } from "./ways.ts";

const DISK_BYTES = 512 * 1024 * 1024;
const WORKERS = 4;
const memoryMegabytes = 1536;
/** The guest writes at least so long. */
const SECONDS_MIN = 3;

for (const way of WAYS) {
  kernelTest(
    `${way.via}: what was flushed is there after the power was cut`,
    (kernel) => testPowerCut(way, kernel),
    { among: way.kernels, thorough: way.via !== "ublk", smoke: way.smoke },
  );
}

async function testPowerCut(way: Way, kernel: KernelVersion): Promise<void> {
  // On a disk, because what is in memory would not go away.
  using directory = new TestDirectory("/var/tmp");
  const disk = directory.sparse("disk", DISK_BYTES);
  await runOrExplain(["mkfs.ext4", "-q", disk]);
  Deno.mkdirSync(directory.file("share"));
  const share = directory.file("share");
  const seed = Math.floor(Math.random() * 1e6);
  const seconds = SECONDS_MIN + Math.random() * 3;
  const writeLog = await builtProgram("write_log");
  const fsLoad = await builtProgram("fs_load");
  const logOptions = `${share}/writes ${WORKERS} ${seed}`;
  const beginning = prelude() + await wayPrelude(way, kernel) + "mkdir d; mount /dev/vda d; cd d\n";
  const options = { kernel, memoryMegabytes, share, disk };
  const cut = await runGuest(
    `set -eux
${beginning}
truncate -s 64M log.img; truncate -s 96M fs.img
log=$(sandblock attach $via file log.img)
fs=$(sandblock attach $via file fs.img)
mkfs.ext4 -q $fs
mkdir /tmp/m; mount $fs /tmp/m
# What is made before the load begins is not what this is about.
sync
${fsLoad} run /tmp/m 3 600 ${seed} ${share}/files &
${writeLog} write $log ${logOptions} &
eventually 60 [ -s ${share}/files ]
eventually 60 [ -s ${share}/writes ]
sleep $(awk "BEGIN { print ${seconds} * $slowness }")
touch ${share}/cut
sleep 600`,
    { ...options, cutWhenExists: `${share}/cut` },
  );
  assert.equal(cut.code, null, cut.output);
  assert.deepEqual(cut.complaints, []);
  const output = await succeedInGuest(
    `${beginning}
${writeLog} check log.img ${logOptions}
fs=$(sandblock attach $via file fs.img)
mkdir /tmp/m; mount $fs /tmp/m
${fsLoad} check /tmp/m ${share}/files
umount /tmp/m
fsck.ext4 -fn $fs
sandblock detach $fs
all_gone`,
    options,
  );
  assert.match(output, /^\d+ files are whole$/m);
}
