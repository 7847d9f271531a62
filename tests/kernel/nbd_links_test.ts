// SPDX-License-Identifier: MIT
// Connections of nbd devices that are lost: servers that die and come back, others that take their
// place, requests that take too long; and devices that are made without netlink.

import { kernelTest, type KernelTestOptions } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";

const SERVERS = `
# serve_on PORT: a server of disk.img; its process in $server.
serve_on() {
  "\${program[@]}" serve -i 127.0.0.1 -p $1 file disk.img & server=$!
  eventually 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"
}
`;

function linksTest(name: string, script: string, options: KernelTestOptions): void {
  const body = async (kernel: KernelVersion) => {
    await succeedInGuest(`${prelude()}${SERVERS}${script}`, { kernel, memoryMegabytes: 1536 });
  };
  kernelTest(`nbd: ${name}`, body, options);
}

linksTest(
  "a file system survives that its server is killed and started again, and another one after it",
  `
truncate -s 64M disk.img
refused "cannot use nbd://127.0.0.1:10809: Connection refused" \\
  sandblock attach nbd://127.0.0.1:10809
serve_on 10809
refused 'the server says ".*"none".*' sandblock attach nbd://127.0.0.1/none
dev=$(sandblock attach --timeout 3s nbd://127.0.0.1 nbd://127.0.0.1:10810)
[ "$(blockdev --getsize64 $dev)" = 67108864 ]
mkfs.ext4 -q $dev
mkdir m; mount $dev m
head -c 1M /dev/urandom > m/before; sync
write() { for i in $(seq $1); do head -c 300K /dev/urandom > m/$2$i; sync -f m/$2$i; done; }
write 12 a & writer=$!
sleep 0.3; kill -9 $server; wait $server || true
sleep 1; serve_on 10809
wait $writer
nbdkit -p 10810 -P nbdkit.pid file disk.img
eventually 10 test -s nbdkit.pid
write 12 b & writer=$!
sleep 0.3; kill -9 $server; wait $server || true
wait $writer
(cd m; sha256sum * 2> /dev/null || true) > sums
sandblock list | grep -E "^$dev +nbd +64M +served .* nbd://127.0.0.1 nbd://127.0.0.1:10810"
sandblock status $dev | grep -E "^  Server +nbd://127.0.0.1:10810$"
umount m
echo 3 > /proc/sys/vm/drop_caches
mount -o ro $dev m
(cd m; grep -v lost+found ../sums | sha256sum -c --quiet)
umount m; fsck.ext4 -fn $dev
sandblock detach $dev
kill $(cat nbdkit.pid)
all_gone`,
  { among: ["6.1"] },
);

linksTest(
  "a device whose server is away can be detached, recovered and replaced",
  `
truncate -s 16M disk.img
serve_on 10809
dev=$(sandblock attach --timeout 2s nbd://127.0.0.1)
sandblock attach --replace $dev --timeout 2s nbd://127.0.0.1
dd if=$dev of=/dev/null bs=1M iflag=direct status=none
kill -9 $(device_pid $dev)
dd if=$dev of=/dev/null bs=1M iflag=direct status=none
sandblock attach --recover $dev --timeout 2s nbd://127.0.0.1
kill -9 $server; wait $server || true
serve_on 10809
dd if=$dev of=/dev/null bs=1M iflag=direct status=none
refused "a remote server has it" sandblock resize $dev
kill -9 $server; wait $server || true
sleep 1
sandblock detach --no-flush $dev
all_gone`,
  { among: ["6.1", "7.2"], thorough: true },
);

linksTest(
  "a request that takes too long costs a connection and not the device",
  `
truncate -s 16M disk.img
dev=$(sandblock attach --via nbd --timeout 2s file disk.img)
pid=$(device_pid $dev)
kill -STOP $pid
dd if=/dev/urandom of=$dev bs=64k count=16 oflag=direct status=none & writer=$!
sleep 4
kill -CONT $pid
wait $writer
dmesg | grep "$(basename $dev): Connection timed out"
[ "$(device_pid $dev)" = $pid ]
cmp $dev disk.img
sandblock detach $dev
dev=$(sandblock attach --via nbd --timeout 2s --recovery-timeout 0 --filter delay memory 16M rdelay=60s)
timeout 60 dd if=$dev of=/dev/null bs=4k count=1 iflag=direct status=none && false
eventually 40 all_gone
dev=$(sandblock attach --via nbd --filter delay memory 16M rdelay=60s)
dd if=$dev of=/dev/null bs=4k count=1 iflag=direct status=none & reader=$!
sleep 1
sandblock detach --no-flush $dev
wait $reader && false
all_gone`,
  { among: ["6.1"], thorough: true },
);

linksTest(
  "without netlink a device is made by ioctls",
  `
modprobe nbd
truncate -s 32M disk.img
dev=$(unshare -n "\${program[@]}" attach --via nbd --connections 2 file disk.img)
[ "$(blockdev --getsize64 $dev)" = 33554432 ]
mkfs.ext4 -q $dev
mkdir m; mount $dev m; cp /usr/bin/gcc* m/; sync
sha256sum m/gcc* > before
umount m; mount -o ro $dev m; sha256sum -c --quiet before; umount m
truncate -s 48M disk.img
unshare -n "\${program[@]}" resize $dev
[ "$(blockdev --getsize64 $dev)" = 50331648 ]
unshare -n "\${program[@]}" detach $dev
all_gone
dev=$(unshare -n "\${program[@]}" attach --via nbd --device /dev/nbd5 memory 16M)
[ $dev = /dev/nbd5 ]
refused "it is in use|process .* uses it" unshare -n "\${program[@]}" attach --device /dev/nbd5 memory 1M
kill -9 $(device_pid $dev)
eventually 10 sh -c '! test -e /sys/block/nbd5/pid'
sandblock detach $dev
all_gone`,
  { among: ["6.1"], thorough: true },
);

linksTest(
  "in another network a device is recovered, and lost connections are replaced",
  `
modprobe nbd
truncate -s 32M disk.img
elsewhere() { unshare -n "\${program[@]}" "$@"; }
dev=$(elsewhere attach --via nbd --timeout 2s file disk.img)
mkfs.ext4 -q $dev
mkdir m; mount $dev m; cp /usr/bin/gcc* m/; sync
sha256sum m/gcc* > before
pid=$(device_pid $dev)
kill -STOP $pid
dd if=/dev/urandom of=m/late bs=64k count=16 oflag=direct status=none & writer=$!
sleep 4
kill -CONT $pid
wait $writer
dmesg | grep "$(basename $dev): Connection timed out"
kill -9 $(device_pid $dev)
elsewhere attach --recover $dev --timeout 2s file disk.img
elsewhere attach --replace $dev --timeout 2s file disk.img
sha256sum -c --quiet before
# Who ends it while it is mounted has the last word.
nbd-client -d $dev
eventually 20 sh -c "! pgrep -f '[/ ]sandblock.* attach'"
umount m
eventually 10 all_gone
dev=$(elsewhere attach --via nbd file disk.img)
sandblock detach $dev
all_gone`,
  { among: ["6.12", "7.2"], thorough: true },
);
