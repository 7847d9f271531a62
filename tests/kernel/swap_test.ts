// SPDX-License-Identifier: MIT
// Swapping to a device of sandblock while memory is short.

import { TestDirectory } from "../support/directory.ts";
import { runOrExplain } from "../support/private_apt.ts";
import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";
import { wayPrelude, WAYS } from "./ways.ts";

const memoryMegabytes = 1024;
/** What a program fills, of which it may have so much in memory. */
const FILLED_MEGABYTES = 320;
const ALLOWED_MEGABYTES = 192;
const DISK_BYTES = 512 * 1024 * 1024;

const FILL = `
import mmap, random, sys
size = int(sys.argv[1]) << 20
memory = mmap.mmap(-1, size)
def stamp(page, round): return (page * 2654435761 + round).to_bytes(8, "little") * 64
pages = size // 4096
for round in range(2):
    for page in range(0, pages, 1 + 6 * round): memory[page * 4096:page * 4096 + 512] = stamp(page, round)
    order = list(range(0, pages, 7)); random.Random(1).shuffle(order)
    for page in order: assert memory[page * 4096:page * 4096 + 512] == stamp(page, round), page
`;

/** Debug kernels need more memory than there is to be. */
const KERNELS: readonly KernelVersion[] = ["6.1", "6.12", "7.2"];

for (const way of WAYS) {
  kernelTest(
    `${way.via}: a swap area on a device holds what does not fit in memory`,
    async (kernel) => {
      // On a disk of the guest: files of the host are reached through 9p, which needs memory itself.
      using directory = new TestDirectory("/var/tmp");
      const disk = directory.sparse("disk", DISK_BYTES);
      await runOrExplain(["mkfs.ext4", "-q", disk]);
      await succeedInGuest(
        `${prelude()}${await wayPrelude(way, kernel)}
mkdir d; mount /dev/vda d; cd d
dd if=/dev/zero of=swap.img bs=1M count=384 conv=fsync status=none
cat > fill.py <<'PY'
${FILL}
PY
dev=$(sandblock attach --swap $via file swap.img direct=true)
pid=$(device_pid $dev)
[ "$(cat /proc/$pid/oom_score_adj)" = -1000 ]
locked=$(sed -n 's/^VmLck:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$pid/status)
[ $locked -gt 50000 ]
mkswap $dev; swapon $dev
# Memory as such does not run out, or the process that serves the device would wait for some (docs/kernel.md).
mkdir groups; mount -t cgroup2 none groups
echo +memory > groups/cgroup.subtree_control
mkdir groups/small; echo ${ALLOWED_MEGABYTES}M > groups/small/memory.max
(echo $BASHPID > groups/small/cgroup.procs; exec python3 fill.py ${FILLED_MEGABYTES}) & filler=$!
most=0
while kill -0 $filler 2>/dev/null; do
  used=$(awk '$1 == "'$dev'" {print $4}' /proc/swaps); [ $used -gt $most ] && most=$used
  sleep 0.5
done 9>/dev/null
wait $filler
echo "most in use: $most KiB"
[ $most -gt 50000 ]
[ "$(sed -n 's/^VmSwap:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$pid/status)" = 0 ]
swapoff $dev
sandblock detach $dev
all_gone`,
        { kernel, memoryMegabytes, disk, timeoutMs: 600_000 },
      );
    },
    { among: way.kernels.filter((kernel) => KERNELS.includes(kernel)), thorough: true },
  );
}
