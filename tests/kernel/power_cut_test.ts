// SPDX-License-Identifier: MIT
// The power of a guest is cut while devices are written to. What had been flushed is on its disk, which
// the host keeps: seen by a second guest. That these checks see what is lost is tested as well.

import assert from "node:assert/strict";
import { runOrExplain } from "../support/private_apt.ts";
import { TestDirectory } from "../support/directory.ts";
import { kernelTest } from "./chosen.ts";
import { type GuestOptions, runGuest, succeedInGuest } from "./guest.ts";
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
  kernelTest(
    `${way.via}: a device that only says that it has flushed is found out`,
    (kernel) => testLoss(way, kernel),
    { among: way.kernels.filter((kernel) => kernel !== "debug"), thorough: true },
  );
}

/** Files of a guest whose power was cut, and how to look at them. */
interface Cut {
  /** What goes before a script that looks. */
  beginning: string;
  options: Omit<GuestOptions, "kernel">;
  /** Command that checks the device that was written to. */
  checkWrites: string;
  /** Command that checks the file system, mounted on m. */
  checkFiles: string;
}

async function testPowerCut(way: Way, kernel: KernelVersion): Promise<void> {
  // On a disk, because what is in memory would not go away.
  using directory = new TestDirectory("/var/tmp");
  const { beginning, options, checkWrites, checkFiles } = await cutPower(directory, way, kernel);
  const output = await succeedInGuest(
    `${beginning}
${checkWrites}
fs=$(sandblock attach $via file fs.img)
mkdir m; mount $fs m
${checkFiles}
umount m
fsck.ext4 -fn $fs
sandblock detach $fs
all_gone`,
    { ...options, kernel },
  );
  assert.match(output, /^\d+ files are whole$/m);
}

async function testLoss(way: Way, kernel: KernelVersion): Promise<void> {
  using directory = new TestDirectory("/var/tmp");
  const { beginning, options, checkWrites, checkFiles } = await cutPower(
    directory,
    way,
    kernel,
    "--filter fua",
    "fuamode=discard",
  );
  const output = await succeedInGuest(
    `${beginning}
if ${checkWrites}; then false; fi
fs=$(sandblock attach $via file fs.img)
mkdir m; mount $fs m
if ${checkFiles}; then false; fi
umount m
sandblock detach $fs
all_gone`,
    { ...options, kernel },
  );
  assert.match(output, /^worker 0: .* [1-9]\d* blocks have lost theirs/m);
  assert.match(output, /^worker 1: .* [1-9]\d* blocks have lost theirs/m);
  assert.match(output, /which was synced|was synced, and is not whole/);
}

/** Has a guest write to two devices, of which one has a file system, and cuts its power. */
async function cutPower(
  directory: TestDirectory,
  way: Way,
  kernel: KernelVersion,
  filter = "",
  parameters = "",
): Promise<Cut> {
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
  const options = { memoryMegabytes, share, disk };
  const cut = await runGuest(
    `set -eux
${beginning}
truncate -s 64M log.img; truncate -s 96M fs.img
log=$(sandblock attach $via ${filter} file log.img ${parameters})
fs=$(sandblock attach $via ${filter} file fs.img ${parameters})
mkfs.ext4 -q $fs
mkdir /tmp/m; mount $fs /tmp/m
# What is made before the load begins is not what this is about.
sync; sync -f .
${fsLoad} run /tmp/m 3 600 ${seed} ${share}/files &
${writeLog} write $log ${logOptions} &
eventually 60 [ -s ${share}/files ]
eventually 60 [ -s ${share}/writes ]
sleep $(awk "BEGIN { print ${seconds} * $slowness }")
touch ${share}/cut
sleep 600`,
    { ...options, kernel, cutWhenExists: `${share}/cut` },
  );
  assert.equal(cut.code, null, cut.output);
  assert.deepEqual(cut.complaints, []);
  return {
    beginning,
    options,
    checkWrites: `${writeLog} check log.img ${logOptions}`,
    checkFiles: `${fsLoad} check m ${share}/files`,
  };
}
