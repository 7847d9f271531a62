// SPDX-License-Identifier: MIT
// What kernels send, and what reaches the device: answers out of order, requests of gigabytes, zeroes that
// may and may not give space back, and counts that agree with those of fio.

import { wayTest } from "./ways.ts";

/** Functions that look at what attach --profile has counted. */
const PROFILE = `
# counted DEV COMMAND WHAT: a number of its profile.
counted() { sandblock status $1 --json | python3 -c "
import json, sys
print(int(json.load(sys.stdin)['profile'][sys.argv[1]][sys.argv[2]]))" $2 $3; }
`;

wayTest(
  "a device that answers out of order at full depth keeps every byte",
  ({ via, depth }) => `
dev=$(sandblock attach $via ${via === "nbd" ? "" : `--depth ${depth}`} \\
  --filter delay memory 32M rdelay=1ms wdelay=1ms jitter=40ms)
verify $dev --iodepth=${depth} --rw=randrw --bsrange=4k-64k --size=16M
sandblock detach $dev`,
  { thorough: true },
);

wayTest(
  "discards and zeroes of gigabytes arrive whole, and the profile is fio's",
  ({ via }, kernel) =>
    `${PROFILE}
# Older kernels have nbd write zeroes as data.
zeroes=${via !== "nbd" || kernel !== "6.1"}
dev=$(sandblock attach $via --profile memory 9G)
pid=$(device_pid $dev)
rss() { sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$pid/status; }
before=$(rss)
blkdiscard $dev
[ $(counted $dev trim bytes) = 9663676416 ]
[ $(counted $dev trim requests) -le 6 ]
if $zeroes; then
  fallocate --punch-hole --offset 0 --length 9G $dev
  [ $(counted $dev zero bytes) = 9663676416 ]
  [ $(counted $dev zero requests) -le 6 ]
  blkdiscard -z --length 16M $dev
  [ $(counted $dev zero bytes) = 9680453632 ]
fi
[ $(($(rss) - before)) -lt 100000 ]
# Neighbours that were made one request would be counted once.
echo 2 > /sys/block/\${dev#/dev/}/queue/nomerges
reads=$(counted $dev read requests); writes=$(counted $dev write requests)
bytes=$(counted $dev read bytes)
fio --name=x --filename=$dev --direct=1 --ioengine=libaio --iodepth=4 --rw=randrw --bs=4k --size=8M \\
  --randrepeat=0 --allow_file_create=0 --output-format=json --output=fio.json
python3 - $(($(counted $dev read requests) - reads)) $(($(counted $dev write requests) - writes)) \\
  $(($(counted $dev read bytes) - bytes)) <<'PY'
import json, sys
job = json.load(open("fio.json"))["jobs"][0]
want = [job["read"]["total_ios"], job["write"]["total_ios"], job["read"]["io_bytes"]]
got = [int(word) for word in sys.argv[1:]]
print("fio", want, "profile", got)
assert got == want
PY
sandblock status $dev
[ $(counted $dev read errors) = 0 ]
sandblock status $dev --json | python3 -c "
import json, sys
profile = json.load(sys.stdin)['profile']['read']
assert sum(bucket['requests'] for bucket in profile['histogram']) == profile['requests']
clat = json.load(open('fio.json'))['jobs'][0]['read']['clat_ns']['mean'] / 1000
mean = profile['microseconds'] / profile['requests']
print('mean of fio', clat, 'us, of the device', mean)
assert 0 < mean < clat"
sandblock detach $dev`,
  { thorough: true },
);

// Of what looks like a block of a journal, jbd2 writes a copy, which for small blocks is an object of the slab
// allocator: a kernel that checks what is copied to programs (HARDENED_USERCOPY) does not let one take that.
wayTest(
  "data that a file system keeps in objects of the kernel arrives",
  () => `
truncate -s 32M disk.img
dev=$(sandblock attach $via file disk.img)
mkfs.ext4 -q -b 1024 $dev
mkdir m
mount -o data=journal $dev m
python3 -c 'open("m/magic", "wb").write((bytes.fromhex("c03b3998") + b"x" * 1020) * 2000)'
sync
umount m
fsck.ext4 -fn $dev
mount $dev m
python3 -c 'assert open("m/magic", "rb").read() == (bytes.fromhex("c03b3998") + b"x" * 1020) * 2000'
umount m
sandblock detach $dev`,
  { thorough: ({ via }) => via !== "bdus" },
);
