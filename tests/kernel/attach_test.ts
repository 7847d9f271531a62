// SPDX-License-Identifier: MIT
// Devices of sandblock as block devices of a real kernel, by each way into it.

import { kernelTest, type KernelTestOptions } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";

/** Kernels with ublk. Those without it, and one that has both, test nbd. */
const UBLK: readonly KernelVersion[] = ["6.12", "7.2"];
const NBD: readonly KernelVersion[] = ["6.1", "7.2"];

const WAYS = [
  {
    via: "nbd",
    module: "nbd",
    dev: "/dev/nbd0",
    other: "/dev/nbd3",
    more: "--connections 2",
    among: NBD,
  },
  {
    via: "ublk",
    module: "ublk_drv",
    dev: "/dev/ublkb0",
    other: "/dev/ublkb3",
    more: "--depth 64",
    among: UBLK,
  },
];

function attachTest(name: string, script: string, options: KernelTestOptions): void {
  const body = async (kernel: KernelVersion) => {
    await succeedInGuest(`${prelude()}${script}`, { kernel, memoryMegabytes: 1536 });
  };
  kernelTest(name, body, options);
}

for (const { via, module, dev, other, more, among } of WAYS) {
  attachTest(
    `${via}: a file system lives on an attached device`,
    `
dev=$(sandblock attach ${via === "ublk" ? "" : "--via nbd"} memory 64M)
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
sandblock list | grep -E "^${dev} +${via} +64M +served"
sandblock detach $dev
rmmod ${module}
all_gone`,
    { among },
  );

  attachTest(
    `${via}: every byte comes back, and discarded ones are zero`,
    `
truncate -s 32M disk.img
dev=$(sandblock attach --via ${via} ${more} --device ${other} file disk.img)
[ "$dev" = ${other} ]
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --bsrange=4k-512k \\
  --size=16M --verify=crc32c --verify_fatal=1 --output-format=terse > /dev/null
refused "uses it; leave --device out|in use; leave --device out" \\
  sandblock attach --device $dev memory 1M
blkdiscard -z -o 1M -l 4M $dev
cmp -n 4194304 -i 1048576:0 $dev /dev/zero
dd if=/dev/urandom of=$dev bs=1M seek=8 count=1 status=none
sandblock flush $dev
cmp -n 4194304 -i 1048576:0 disk.img /dev/zero
cmp $dev disk.img
truncate -s 48M disk.img
if [ ${via} = nbd ] || [ "$(uname -r | cut -d. -f1)" -ge 7 ]; then
  [ "$(sandblock resize $dev)" = 50331648 ]
  [ "$(blockdev --getsize64 $dev)" = 50331648 ]
  dd if=/dev/urandom of=$dev bs=1M seek=40 count=1 oflag=direct status=none
  cmp $dev disk.img
  refused "what serves it has 50331648; enlarge that first" sandblock resize $dev 64M
else
  refused "ublk of this kernel cannot" sandblock resize $dev
fi
sandblock detach $dev
all_gone
dev=$(sandblock attach --via ${via} --writeback -r file disk.img)
[ "$(cat /proc/$(device_pid $dev)/oom_score_adj)" = -1000 ]
[ "$(blockdev --getro $dev)" = 1 ]
cmp $dev disk.img
sandblock detach --all
all_gone`,
    { among },
  );

  attachTest(
    `${via}: a device whose process was killed is recovered under load`,
    `
truncate -s 32M disk.img
dev=$(sandblock attach --via ${via} --timeout 3s file disk.img)
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k \\
  --size=8M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 &
fio=$!
sleep 0.7
kill -9 $(device_pid $dev)
sandblock list | grep -E "^$dev .*abandoned"
refused "use attach --recover $dev" sandblock detach $dev
truncate -s 16M small.img
refused "it has 33554432 bytes, and what shall serve it now only 16777216" \\
  sandblock attach --recover $dev file small.img
sandblock attach --recover $dev file disk.img
wait $fio || { cat fio.log; false; }
refused "serves it" sandblock attach --recover $dev file disk.img
kill -9 $(device_pid $dev)
sandblock detach --no-flush $dev
all_gone`,
    { among, thorough: via === "nbd" },
  );

  attachTest(
    `${via}: another process takes over a device under load`,
    `
truncate -s 32M disk.img
dev=$(sandblock attach --via ${via} --timeout 3s file disk.img)
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k \\
  --size=16M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 &
fio=$!
first=$(device_pid $dev)
[ "$(sandblock attach --replace $dev --filter stats file disk.img)" = $dev ]
[ "$(device_pid $dev)" != "$first" ]
! kill -0 $first
wait $fio || { cat fio.log; false; }
sandblock list | grep -E "^$dev .* served .* --filter stats file disk.img"
sandblock detach $dev
all_gone`,
    { among, thorough: true },
  );

  attachTest(
    `${via}: a signal at any moment leaves nothing behind`,
    `
for delay in 1.5 2.5 3 3.5 6; do
  "\${program[@]}" attach --via ${via} --foreground memory 1M & sleep $delay
  kill -TERM $!; wait $! || true
  eventually 10 all_gone
done`,
    { among, thorough: true },
  );
}

attachTest(
  "what cannot be attached is refused in a sentence",
  `
modprobe nbd; rmmod nbd; mount -t tmpfs none /lib/modules
refused 'cannot load the kernel module "nbd" for Linux .*: ' sandblock attach memory 1M
refused 'cannot load the kernel module "ublk_drv" for Linux .*: ' sandblock attach --via ublk memory 1M
umount /lib/modules
refused "is not one that sandblock makes; use /dev/nbdN" sandblock attach --device /dev/sda memory 1M
refused "sandblock has not attached it" sandblock detach /dev/nbd5
refused "sandblock does not know it" sandblock attach --recover /dev/nbd5 memory 1M
refused "cannot attach an export of 100 bytes" sandblock attach data "0 * 100"
all_gone`,
  { among: ["6.1"] },
);
