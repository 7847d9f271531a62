// SPDX-License-Identifier: MIT
// A driver can be unloaded right after its device has ended: again and again.
// SANDBLOCK_TEST_UNLOADS says how often; 200 times unless given.

import { wayTest } from "./ways.ts";

const TIMES = Number(Deno.env.get("SANDBLOCK_TEST_UNLOADS") ?? "200");
/** Starting programs takes seconds in a guest. */
const SECONDS_EACH = 30;

/** It takes minutes: each way on one kernel. */
const KERNELS = [["nbd", "6.1"], ["bdus", "6.1"], ["ublk", "6.12"]] as const;

for (const [via, kernel] of KERNELS) {
  wayTest(
    `the driver goes right after the device, ${TIMES} times`,
    ({ module }) => `
set +x
for i in $(seq ${TIMES}); do
  [ $i = 1 ] || load_module
  # In turn a command ends the device, and its process by itself.
  if [ $((i % 2)) = 0 ]; then
    dev=$(sandblock attach $via memory 1M)
    dd if=/dev/urandom of=$dev bs=64k count=2 status=none
    sandblock detach $dev
  else
    rm -f out
    "\${program[@]}" attach --foreground $via memory 1M > out & pid=$!
    eventually 20 test -s out
    dd if=/dev/urandom of=$(cat out) bs=64k count=2 status=none
    kill $pid
    wait $pid
  fi
  rmmod ${module}
done`,
    { vias: [via], among: [kernel], thorough: true, timeoutMs: TIMES * SECONDS_EACH * 1000 },
  );
}
