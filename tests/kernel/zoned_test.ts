// SPDX-License-Identifier: MIT
// Zoned devices through ublk: what the kernel makes of their zones, the rules for writing, file systems that
// append, and what is refused.

import { kernelTest, type KernelTestOptions } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";

/** What all scripts use. Sectors are of 512 bytes. */
const ZONES = `
modprobe ublk_drv
dd if=/dev/urandom of=random bs=1M count=4 status=none
# zone N: what blkzone says about it.
zone() { blkzone report --offset $(($1 * zone_sectors)) --count 1 $dev; }
# put ZONE BLOCK COUNT: writes so many blocks of 64K of random bytes there.
put() {
  dd if=random of=$dev bs=64K skip=$2 seek=$(($1 * zone_sectors / 128 + $2)) count=$3 oflag=direct \\
    conv=notrunc status=none
}
fails() { if "$@" 2> /dev/null; then echo "it succeeds: $*"; return 1; fi; }
# holds ZONE BLOCKS: so many blocks of the zone are those that put has written.
holds() {
  dd if=$dev bs=64K skip=$(($1 * zone_sectors / 128)) count=$2 iflag=direct status=none |
    cmp - <(head -c $(($2 * 65536)) random)
}
`;

function zonedTest(name: string, script: string, options: KernelTestOptions = {}): void {
  const body = async (kernel: KernelVersion) => {
    await succeedInGuest(`${prelude()}${ZONES}${script}\nall_gone`, {
      kernel,
      memoryMegabytes: 1536,
      timeoutMs: 480_000,
    });
  };
  kernelTest(`ublk: ${name}`, body, { among: ["6.12", "7.2", "debug"], ...options });
}

zonedTest(
  "a zoned device has the zones of its plugin, which are written in order",
  `
dev=$(sandblock attach --via ublk zoned 256M zone-size=4M zone-capacity=3M conventional=2 max-open=8 max-active=10)
zone_sectors=8192
queue=/sys/block/$(basename $dev)/queue
[ "$(cat $queue/zoned)" = host-managed ]
[ "$(cat $queue/nr_zones)" = 64 ]
[ "$(cat $queue/chunk_sectors)" = $zone_sectors ]
[ "$(cat $queue/max_open_zones)" = 8 ]
[ "$(cat $queue/max_active_zones)" = 10 ]
[ "$(cat $queue/zone_append_max_bytes)" = 131072 ]
[ "$(cat $queue/discard_max_bytes)" = 0 ]
blkzone report $dev > zones
[ "$(wc -l < zones)" = 64 ]
[ "$(grep -c CONVENTIONAL zones)" = 2 ]
[ "$(grep -c "cap 0x001800, wptr 0x000000 .*zcond: 1(em).*SEQ_WRITE_REQUIRED" zones)" = 62 ]
put 5 0 3
put 5 3 2
zone 5 | grep "wptr 0x000280 .*zcond: 2(oi)"
holds 5 5
# Not at the write pointer, beyond the capacity, to a full zone.
fails put 5 6 1
fails put 5 4 1
# After an error the kernel looks where the write pointer is when zones are reported.
zone 5 | grep "wptr 0x000280 .*zcond: 2(oi)"
put 5 5 43
zone 5 | grep "zcond:14(fu)"
fails put 5 48 1
holds 5 48
blkzone reset --offset $((5 * zone_sectors)) --count 1 $dev
zone 5 | grep "wptr 0x000000 .*zcond: 1(em)"
dd if=$dev bs=64K skip=$((5 * 64)) count=1 iflag=direct status=none | cmp - <(head -c 65536 /dev/zero)
put 5 0 1
blkzone open --offset $((6 * zone_sectors)) --count 1 $dev
zone 6 | grep "zcond: 3(oe)"
blkzone finish --offset $((6 * zone_sectors)) --count 1 $dev
zone 6 | grep "zcond:14(fu)"
blkzone open --offset $((5 * zone_sectors)) --count 1 $dev
blkzone close --offset $((5 * zone_sectors)) --count 1 $dev
zone 5 | grep "wptr 0x000080 .*zcond: 4(cl)"
# Conventional zones take writes anywhere.
put 1 7 3
put 1 0 7
holds 1 10
blkzone reset --offset $((2 * zone_sectors)) $dev
[ "$(blkzone report $dev | grep -c "zcond: 1(em)")" = 62 ]
holds 1 10
sandblock detach $dev`,
  { smoke: ["6.12"] },
);

zonedTest(
  "fio and btrfs use a zoned device as they use any other",
  `
dev=$(sandblock attach --via ublk zoned 1G zone-size=16M)
for rw in write randwrite; do
  verify $dev --zonemode=zbd --rw=$rw --bs=64k --size=64M --iodepth=16 --max_open_zones=4
done
blkzone reset $dev
modprobe btrfs
mkfs.btrfs -q -O zoned -d single -m single $dev
mkdir mnt
mount -t btrfs $dev mnt
for i in $(seq 20); do head -c $((i * 40000)) random > mnt/$i; done
sync
umount mnt
btrfs check $dev > check.log 2>&1 || { cat check.log; false; }
mount -t btrfs $dev mnt
for i in $(seq 20); do cmp mnt/$i <(head -c $((i * 40000)) random); done
umount mnt
sandblock detach $dev`,
  { among: ["6.12", "7.2"], thorough: true },
);

zonedTest(
  "what cannot have zones is refused, policies hold, and what takes over must have the same",
  `
zoned="zoned 64M zone-size=4M"
refused "through nbd, which knows no zones" sandblock attach --via nbd $zoned
refused "cannot use the filter .cow. above a zoned device" sandblock attach --via ublk --filter cow $zoned
refused "cannot serve the device over NBD for writing: it is zoned" sandblock serve -U /tmp/s $zoned
sandblock serve -r -U - $zoned --run 'true'
printf 'default allow\\nerrno EPERM write, trim if range overlaps 16M..20M\\n' > policy
dev=$(sandblock attach --via ublk --policy policy --filter delay $zoned wdelay=1ms)
zone_sectors=8192
fails put 4 0 1
fails blkzone reset --offset $((4 * zone_sectors)) --count 1 $dev
blkzone reset --offset $((3 * zone_sectors)) --count 1 $dev
put 3 0 4
holds 3 4
refused "a zoned device keeps its size" sandblock resize $dev 32M
kill -9 $(device_pid $dev)
refused "it has zones of 4194304 bytes, .* zones of 8388608 bytes" \\
  sandblock attach --recover $dev zoned 64M zone-size=8M
refused "it has zones of 4194304 bytes, .* no zones" sandblock attach --recover $dev memory 64M
sandblock attach --recover $dev $zoned
# Its memory went with the process.
zone 3 | grep "wptr 0x000000 .*zcond: 1(em)"
blkzone reset $dev
put 3 0 4
holds 3 4
sandblock attach --replace $dev $zoned
blkzone reset $dev
put 3 0 4
holds 3 4
sandblock detach $dev
# More zones than one request of the kernel has room for.
dev=$(sandblock attach --via ublk zoned 512M zone-size=64K)
[ "$(blkzone report $dev | wc -l)" = 8192 ]
blkzone report --offset 1048448 $dev | grep "start: 0x0000fff80, len 0x000080"
sandblock detach $dev`,
  { among: ["6.12", "7.2"], thorough: true },
);
