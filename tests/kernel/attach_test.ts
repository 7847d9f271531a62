// SPDX-License-Identifier: MIT
// Devices of sandblock as block devices of a real kernel, by each way into it.

import { wayTest } from "./ways.ts";

wayTest("a file system lives on an attached device", ({ via, dev, module }) => `
dev=$(sandblock attach ${via === "ublk" ? "" : "$via"} memory 64M)
[ "$dev" = ${dev} ]
[ "$(blockdev --getsize64 $dev)" = 67108864 ]
mkfs.ext4 -q $dev
mkdir m; mount $dev m
cp /usr/bin/gcc* m/; sync; fstrim -v m
sandblock status $dev | grep -E "^  Is +served$"
refused "it is mounted on /tmp/m; --force" sandblock detach $dev
sha256sum m/gcc* > before
umount m
fsck.ext4 -fn $dev
mount -o ro $dev m; sha256sum -c --quiet before; umount m
sandblock list | grep -E "^$dev +${via} +64M +served"
sandblock detach $dev
rmmod ${module}`);

wayTest(
  "every byte comes back, and discarded ones are zero",
  ({ choice, chosen, parallel, resizes }, kernel) => `
truncate -s 32M disk.img
dev=$(sandblock attach $via ${parallel} ${choice} file disk.img)
[ "$dev" = ${chosen} ]
verify $dev --iodepth=32 --rw=randrw --bsrange=4k-512k --size=16M
blkdiscard -z -o 1M -l 4M $dev
cmp -n 4194304 -i 1048576:0 $dev /dev/zero
dd if=/dev/urandom of=$dev bs=1M seek=8 count=1 status=none
sandblock flush $dev
cmp -n 4194304 -i 1048576:0 disk.img /dev/zero
cmp $dev disk.img
truncate -s 48M disk.img
${
    resizes(kernel)
      ? `[ "$(sandblock resize $dev)" = 50331648 ]
[ "$(blockdev --getsize64 $dev)" = 50331648 ]
dd if=/dev/urandom of=$dev bs=1M seek=40 count=1 oflag=direct status=none
cmp $dev disk.img
refused "what serves it has 50331648; enlarge that first" sandblock resize $dev 64M`
      : 'refused "cannot resize $dev|ublk of this kernel cannot" sandblock resize $dev'
  }
sandblock detach $dev
all_gone
dev=$(sandblock attach $via --writeback -r file disk.img)
[ "$(cat /proc/$(device_pid $dev)/oom_score_adj)" = -1000 ]
[ "$(blockdev --getro $dev)" = 1 ]
cmp $dev disk.img
sandblock detach --all`,
);

wayTest(
  "every byte comes back with up to 512 requests under way",
  ({ via, depth }) => `
truncate -s 64M disk.img
for depth in 1 8 64 512; do
  dev=$(sandblock attach $via ${
    via === "nbd" ? "--connections 4" : `--depth $((depth < ${depth} ? depth : ${depth}))`
  } file disk.img)
  verify $dev --iodepth=$depth --rw=randrw --bs=4k --size=$((depth < 8 ? 2 : 16))M
  verify $dev --iodepth=$depth --rw=randwrite --bsrange=512-64k --size=16M
  blkdiscard -z -o 8M -l 16M $dev
  cmp -n 16777216 -i 8388608:0 $dev /dev/zero
  blkdiscard $dev
  sandblock detach $dev
done`,
  { thorough: true },
);

wayTest(
  "a device whose process was killed is recovered under load",
  () => `
truncate -s 32M disk.img
dev=$(sandblock attach $via --timeout $((3 * slowness))s file disk.img)
verify $dev --iodepth=16 --rw=randwrite --bs=4k --size=16M & load=$!
for round in 1 2; do
  eventually 20 wrote $dev $((round * 800))
  kill -9 $(device_pid $dev)
  sandblock list | grep -E "^$dev .*abandoned"
  refused "use attach --recover $dev" sandblock detach $dev
  truncate -s 16M small.img
  refused "it has 33554432 bytes, and what shall serve it now only 16777216" \\
    sandblock attach --recover $dev file small.img
  refused "what shall serve it now is read-only" sandblock attach --recover $dev -r file disk.img
  sandblock attach --recover $dev file disk.img
done
wait $load
refused "serves it" sandblock attach --recover $dev file disk.img
kill -9 $(device_pid $dev)
sandblock detach --no-flush $dev`,
  { thorough: ({ via }) => via === "nbd" },
);

wayTest(
  "another process takes over a device under load",
  () => `
truncate -s 32M disk.img
dev=$(sandblock attach $via --timeout $((3 * slowness))s file disk.img)
verify $dev --iodepth=16 --rw=randwrite --bs=4k --size=24M & load=$!
for filter in stats delay; do
  first=$(device_pid $dev)
  [ "$(sandblock attach --replace $dev --filter $filter file disk.img)" = $dev ]
  [ "$(device_pid $dev)" != "$first" ]
  eventually 5 sh -c "! kill -0 $first"
done
wait $load
sandblock list | grep -E "^$dev .* served .* --filter delay file disk.img"
sandblock detach $dev`,
  { thorough: true },
);
