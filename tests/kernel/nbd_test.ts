// SPDX-License-Identifier: MIT
// The front end nbd.ko: a device of sandblock as /dev/nbdN.

import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import { prelude } from "./script.ts";

const memoryMegabytes = 1536;

kernelTest("nbd: a file system lives on an attached device", async (kernel) => {
  await succeedInGuest(
    `${prelude()}
dev=$(sandblock attach --via nbd memory 64M)
[ "$dev" = /dev/nbd0 ]
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
sandblock list | grep -E "^/dev/nbd0 +nbd +64M +served"
sandblock detach $dev
all_gone`,
    { kernel, memoryMegabytes },
  );
});

kernelTest("nbd: what cannot be attached is refused in a sentence", async (kernel) => {
  await succeedInGuest(
    `${prelude()}
modprobe nbd
mv /lib/modules/*/kernel/drivers/block/nbd.ko* /tmp 2>/dev/null || mount -t tmpfs none /lib/modules
rmmod nbd
refused 'cannot load the kernel module "nbd" for Linux .*: ' sandblock attach --via nbd memory 1M
refused "is not one that sandblock makes; use /dev/nbdN" sandblock attach --device /dev/sda memory 1M
refused "sandblock has not attached it" sandblock detach /dev/nbd5
refused "sandblock does not know it" sandblock attach --recover /dev/nbd5 memory 1M
all_gone`,
    { kernel, memoryMegabytes },
  );
}, ["6.1", "7.2"]);

kernelTest("nbd: every byte comes back, and discarded ones are zero", async (kernel) => {
  await succeedInGuest(
    `${prelude()}
truncate -s 32M disk.img
dev=$(sandblock attach --via nbd --connections 2 --device /dev/nbd3 file disk.img)
[ "$dev" = /dev/nbd3 ]
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --bs=4k \\
  --size=16M --verify=crc32c --verify_fatal=1 --output-format=terse > /dev/null
refused "process [0-9]+ uses it; leave --device out" sandblock attach --device $dev memory 1M
blkdiscard -z -o 1M -l 4M $dev
cmp -n 4194304 -i 1048576:0 $dev /dev/zero
sandblock flush $dev
cmp -n 4194304 -i 1048576:0 disk.img /dev/zero
sandblock detach $dev
all_gone`,
    { kernel, memoryMegabytes },
  );
});

kernelTest("nbd: a device whose process was killed is recovered under load", async (kernel) => {
  await succeedInGuest(
    `${prelude()}
truncate -s 32M disk.img
dev=$(sandblock attach --via nbd --timeout 3s file disk.img)
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k \\
  --size=8M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 &
sleep 0.7
kill -9 $(cat /sys/block/nbd0/pid)
sandblock list | grep -E "^/dev/nbd0 .*abandoned"
refused "use attach --recover /dev/nbd0" sandblock detach $dev
truncate -s 16M small.img
refused "it has 33554432 bytes, and what shall serve it now only 16777216" \\
  sandblock attach --recover $dev file small.img
sandblock attach --recover $dev file disk.img
wait $! || { cat fio.log; false; }
refused "serves it" sandblock attach --recover $dev file disk.img
sandblock detach $dev
all_gone`,
    { kernel, memoryMegabytes },
  );
});

kernelTest("nbd: a signal at any moment leaves nothing behind", async (kernel) => {
  await succeedInGuest(
    `${prelude()}
modprobe nbd
for delay in 1.5 2.5 3 3.5 6; do
  "\${program[@]}" attach --via nbd --foreground memory 1M & sleep $delay
  kill -TERM $!; wait $! || true
  eventually 10 all_gone
done`,
    { kernel, memoryMegabytes },
  );
}, ["6.1"]);
