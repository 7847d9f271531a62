// SPDX-License-Identifier: MIT
// Memory that runs out and requests that fail, in the debug kernel, which can be told to do so
// (Documentation/fault-injection/fault-injection.rst).

import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import { builtModule } from "./module.ts";
import { builtProgram } from "./programs.ts";
import { prelude } from "./script.ts";
import { wayTest } from "./ways.ts";

/** Faults of allocations that may wait and of small ones count, and nothing is said about each. */
const ANY_ALLOCATION = `
faults=/sys/kernel/debug
for kind in failslab fail_page_alloc; do
  echo N > $faults/$kind/ignore-gfp-wait
  echo 0 > $faults/$kind/verbose
done
echo N > $faults/fail_page_alloc/ignore-gfp-highmem
echo 0 > $faults/fail_page_alloc/min-order
echo 0 > $faults/fail_usercopy/verbose
`;

/**
 * fail PERCENT: so many of the allocations that code of the module makes, or has made for it, fail.
 * What its text begins and ends with is found where modules are.
 */
const FAIL_MODULE = `
fail() {
  local start end kind
  start=$(cat /sys/module/$1/sections/.text)
  end=$(printf '0x%x' $((start + $(awk -v m=$1 '$1 == m { print $2 }' /proc/modules))))
  for kind in failslab fail_page_alloc; do
    echo $start > $faults/$kind/require-start
    echo $end > $faults/$kind/require-end
    echo 12 > $faults/$kind/stacktrace-depth
    echo N > $faults/$kind/task-filter
    echo -1 > $faults/$kind/times
    echo $2 > $faults/$kind/probability
  done
}
no_more_faults() { for kind in failslab fail_page_alloc; do echo 0 > $faults/$kind/probability; done; }
`;

kernelTest(
  "bdus: whichever allocation fails, the module and a device of it fail cleanly",
  async (kernel) => {
    const module = await builtModule(kernel);
    await succeedInGuest(
      `${prelude()}${ANY_ALLOCATION}
# Only faults that code of a module meets: what the kernel does about its own is not the question.
for kind in failslab fail_page_alloc fail_usercopy; do
  echo 0xffffffffa0000000 > $faults/$kind/require-start
  echo 0xffffffffff000000 > $faults/$kind/require-end
done
echo scan > $faults/kmemleak; echo clear > $faults/kmemleak
${await builtProgram("fail_nth")} ${module}
! grep bdus /proc/modules
sleep 6
echo scan > $faults/kmemleak; sleep 1; echo scan > $faults/kmemleak
cat $faults/kmemleak
! grep -q bdus $faults/kmemleak`,
      { kernel, kernelArguments: "kmemleak=on", timeoutMs: 300_000 },
    );
  },
  { among: ["debug"] },
);

wayTest(
  "allocations fail while memory is short and modules come and go",
  ({ module }) => `
${ANY_ALLOCATION}${FAIL_MODULE}
truncate -s 16M /tmp/disk.img
free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
python3 - $((free - 400)) <<'PY' & hog=$!
import os, sys, time
held = [os.urandom(4096) * 256 for _ in range(int(sys.argv[1]))]
while True: time.sleep(1)
PY
attached=0
for round in $(seq 32); do
  # What fails is chance: longer only until a device was there at all.
  [ $round -le 8 ] || [ $attached = 0 ] || break
  fail ${module} $((round * 3 % 20))
  # The device, or a reason: what it is depends on where memory ran out.
  if dev=$(timeout $((20 * slowness)) "\${program[@]}" attach $via --timeout $((2 * slowness))s file disk.img); then
    attached=$((attached + 1))
    dd if=/dev/urandom of=$dev bs=64k count=64 oflag=direct status=none || true
    no_more_faults
    # nbd.ko that has no memory to tell of a lost connection leaves it as if the device had been ended.
    sandblock detach --no-flush $dev || [ "$via" = "--via nbd" ]
  fi
  no_more_faults
  eventually 30 all_gone
  eventually 20 rmmod ${module}
  load_module
done
echo "attached $attached times"
[ $attached -gt 0 ]
kill $hog || true
dev=$(sandblock attach $via file disk.img)
verify $dev --iodepth=16 --rw=randrw --bs=4k --size=4M
sandblock detach $dev
rmmod ${module}`,
  { among: ["debug"], timeoutMs: 600_000 },
);

wayTest(
  "errors of the disk below come through, and are gone when it works again",
  () => `
faults=/sys/kernel/debug/fail_make_request
modprobe null_blk memory_backed=1 gb=1
dev=$(sandblock attach $via file /dev/nullb0)
verify $dev --iodepth=8 --rw=randrw --bs=4k --size=4M
echo 0 > $faults/verbose; echo -1 > $faults/times; echo 30 > $faults/probability
echo 1 > /sys/block/nullb0/make-it-fail
failures=0
for block in $(seq 200); do
  dd if=/dev/urandom of=$dev bs=4k seek=$block count=1 oflag=direct,sync status=none || failures=$((failures + 1))
done 2> /dev/null
[ $failures -gt 0 ]
[ $failures -lt 200 ]
echo 0 > /sys/block/nullb0/make-it-fail
verify $dev --iodepth=8 --rw=randrw --bs=4k --size=4M
sandblock detach $dev`,
  { among: ["debug"], timeoutMs: 300_000 },
);
