// SPDX-License-Identifier: MIT
// Devices that end in every way while they are in use and while ioctls rain on them: nothing is left
// behind, and the kernel has nothing to say.

import { builtProgram } from "./programs.ts";
import { wayTest } from "./ways.ts";

wayTest(
  "a device that ends under load and ioctls leaves nothing behind",
  async ({ module }) => `
truncate -s 32M disk.img
pick() { local words=("$@"); echo "\${words[RANDOM % $#]}"; }
load() {
  fio --name=l --filename=$1 --direct=$((RANDOM % 2)) --ioengine=libaio --iodepth=32 --rw=randrw --bs=4k \\
    --size=16M --time_based --runtime=30 --output-format=terse > /dev/null 2>&1
}
for round in 1 2 3 4 5 6; do
  dev=$(sandblock attach $via --timeout $((2 * slowness))s file disk.img)
  load $dev & load=$!
  ${await builtProgram("ioctl_storm")} $dev 3 $((4 * slowness)) $RANDOM & storm=$!
  sleep $((1 + RANDOM % 2 * slowness)).$((RANDOM % 10))
  pid=$(device_pid $dev)
  case $round in
    1) sandblock detach --force --no-flush $dev;;
    2) kill -9 $pid; sandblock detach --force --no-flush $dev;;
    3) kill -TERM $pid;;
    4) kill -9 $pid; sandblock attach --recover $dev file disk.img; sandblock detach --force --no-flush $dev;;
    5) sandblock attach --replace $dev file disk.img; kill -INT $(device_pid $dev);;
    6) kill -STOP $pid; sleep 1; kill -9 $pid; sandblock detach --force --no-flush $dev;;
  esac
  wait $storm
  kill $load 2> /dev/null || true
  wait $load || true
  eventually 30 all_gone
done
eventually 20 rmmod ${module}`,
  { thorough: true, timeoutMs: 600_000 },
);

wayTest(
  "a control device that is given nonsense serves sense right after",
  async ({ module }) => `
${await builtProgram("ioctl_storm")} /dev/bdus-control 4 $((15 * slowness)) $RANDOM
eventually 60 all_gone
dev=$(sandblock attach $via memory 16M)
verify $dev --iodepth=16 --rw=randrw --bs=4k --size=4M
sandblock detach $dev
eventually 20 rmmod ${module}`,
  { thorough: true, vias: ["bdus"], timeoutMs: 300_000 },
);

wayTest(
  "a signal at any moment leaves nothing behind",
  () => `
i=0
# Without job control, what runs in the background begins with SIGINT ignored.
set -m
for signal in TERM INT KILL; do
  for delay in 0.3 0.6 0.9 1.2 1.5 1.8 2.1 2.4 2.8 3.5; do
    i=$((i + 1))
    # Other moments in each round.
    delay=$(awk "BEGIN { print $slowness * ($delay + $i % 7 * 0.04) }")
    "\${program[@]}" attach $via --foreground memory 1M > out 2>&1 & pid=$!
    sleep $delay
    kill -$signal $pid 2> /dev/null || true
    wait $pid || true
    if [ $signal = KILL ]; then
      # What was made remains, and says so. Without a record, it was not there yet.
      for name in $(ls /run/sandblock 2> /dev/null | grep 'json$'); do
        sandblock detach --no-flush /dev/\${name%.json}
      done
    fi
    eventually 15 all_gone
  done
done`,
  { thorough: true, timeoutMs: 900_000 },
);
