// SPDX-License-Identifier: MIT
// Several queues of a device, each of which is served by a thread of its own.

import { wayTest } from "./ways.ts";

wayTest(
  "several queues are served by threads of their own, also by the next process",
  () => `
truncate -s 32M disk.img
on_both() {
  local options="--iodepth=16 --rw=randwrite --bs=4k --size=4M" first
  verify $dev $options --cpus_allowed=0 & first=$!
  verify $dev $options --cpus_allowed=1 --offset=16M
  wait $first
}
dev=$(sandblock attach $via --queues 2 file disk.img)
[ "$(ls /sys/block/\${dev#/dev/}/mq | wc -l)" = 2 ]
sandblock status $dev | grep -E "^  Queues +2 of 128 requests"
on_both
already=$(awk '{ print $5 }' /sys/block/\${dev#/dev/}/stat)
on_both & load=$!
eventually 20 wrote $dev $((already + 300))
kill -9 $(device_pid $dev)
sandblock attach --recover $dev file disk.img
wait $load
sandblock status $dev | grep -E "^  Queues +2 of 128 requests"
sandblock detach $dev
# Both threads see one memory.
dev=$(sandblock attach $via --queues 2 memory 32M)
on_both
sandblock detach $dev`,
  { vias: ["ublk", "bdus"], thorough: true },
);
