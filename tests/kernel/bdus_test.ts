// SPDX-License-Identifier: MIT
// The kernel module of kmod/: devices of sandblock through it, and drivers that know only BDUS 0.1.

import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import { kernel as kernelOf } from "./kernels.ts";
import { builtModule, kernelHeaders } from "./module.ts";
import { builtProgram } from "./programs.ts";
import { prelude } from "./script.ts";

const memoryMegabytes = 1536;
/** Two builds in a guest take their time. */
const INSTALLATION_MS = 900_000;

function bdusTest(
  name: string,
  script: (module: string) => string,
  { thorough, kernelArguments = "" }: { thorough: boolean; kernelArguments?: string },
): void {
  kernelTest(`bdus: ${name}`, async (kernel) => {
    const module = await builtModule(kernel);
    await succeedInGuest(`${prelude()}\ninsmod ${module}\n${script(module)}\nall_gone`, {
      kernel,
      kernelArguments,
      memoryMegabytes,
    });
  }, { thorough });
}

/** The same for a device of the test's own driver, which may be killed. */
function ringTest(
  name: string,
  how: string,
  queues: number,
  script: (device: string) => string,
): void {
  kernelTest(`bdus: ${name}`, async (kernel) => {
    const module = await builtModule(kernel);
    const driver = await builtProgram("bdus_ring_driver");
    await succeedInGuest(
      `${prelude()}
insmod ${module}
${driver} 67108864 ${queues} 2048 ${how} > id 2> record & driver=$!
eventually 10 test -s id
dev=/dev/bdus-$(cat id)
eventually 10 test -b $dev
${script("$dev")}
pkill -9 bdus_ring; wait $driver || true
eventually 20 sh -c "! test -e /sys/block/\${dev#/dev/}"
eventually 10 rmmod bdus
all_gone`,
      { kernel, memoryMegabytes },
    );
  }, { thorough: true });
}

bdusTest("whoever asks for one thing at a time need not sleep until the answer is there", () => `
dev=$(sandblock attach --via bdus memory 64M)
parameter=/sys/module/bdus/parameters/spin_us
[ "$(cat $parameter)" = 50 ]
# How often fio gave its processor away, for 100 reads.
switches() {
  fio --name=s --filename=$dev --direct=1 --ioengine=psync --rw=randread --bs=4k --size=64M --time_based \\
    --runtime=3 --output-format=json | sed -n 's/^ *"\\(ctx\\|total_ios\\)" : \\([0-9]*\\),$/\\1 \\2/p' |
    awk '!n[$1] { n[$1] = $2 } END { print int(100 * n["ctx"] / n["total_ios"]) }'
}
echo 0 > $parameter
switches
asleep=$(switches)
[ "$asleep" -ge 95 ]
echo 1000 > $parameter
seldom() { awake=$(switches) && echo "$asleep switches, waiting for answers $awake" && [ "$awake" -le 80 ]; }
# The other processor of the guest has to run meanwhile, so this wants an idle machine.
# In the debug kernel each answer takes longer than one waits at the most.
tries="1 2 3 4 5 6 7 8 9 last"; [ $slowness = 1 ] || tries=""
for try in $tries; do ! seldom || break; [ $try != last ]; done
for depth in 1 2 16; do verify $dev --rw=randrw --bs=4k --size=8M --iodepth=$depth; done
# Answers that take longer than one waits, from another driver.
echo 50 > $parameter
sandblock attach --replace $dev --filter delay memory 64M rdelay=300us
verify $dev --rw=randrw --bs=4k --size=1M --iodepth=1
sandblock detach $dev`, { thorough: true });

bdusTest("numbers are never used twice, and the module can be taken out and put back", (module) => `
for i in 0 1 2; do
  dev=$(sandblock attach --via bdus memory 1M)
  [ "$dev" = /dev/bdus-$i ]
  sandblock detach $dev
done
refused "numbers are never used twice" sandblock attach --device /dev/bdus-7 memory 1M
for i in 1 2 3 4 5; do rmmod bdus; insmod ${module}; done
dev=$(sandblock attach --via bdus memory 8M)
sandblock status $dev | grep -E "^ +Module +active, driven by process [0-9]+, with a ring"
sandblock detach $dev
rmmod bdus; insmod ${module} rings=n
dev=$(sandblock attach --via bdus memory 8M)
dd if=/dev/urandom of=copy bs=1M count=8 status=none; dd if=copy of=$dev bs=1M oflag=direct status=none
cmp copy $dev
refused "keeps sizes" sandblock resize $dev 4M
echo Y > /sys/module/bdus/parameters/rings
ringed=$(sandblock attach --via bdus memory 8M)
sandblock resize $ringed 4M
sandblock detach $ringed
sandblock detach $dev
rmmod bdus
refused 'cannot load the kernel module "bdus"' sandblock attach --via bdus memory 1M`, {
  thorough: true,
});

bdusTest("a device is resized while a file system on it is in use, and taken over", () => `
truncate -s 64M disk.img
dev=$(sandblock attach --via bdus --depth 1500 file disk.img)
[ "$(cat /sys/block/bdus-0/queue/nr_requests)" = 1500 ]
mkfs.ext4 -q $dev 32M; mkdir m; mount $dev m
cp /usr/bin/gcc* m/; sha256sum m/gcc* > before
truncate -s 96M disk.img
[ "$(sandblock resize $dev)" = 100663296 ]
[ "$(blockdev --getsize64 $dev)" = 100663296 ]
resize2fs $dev 96M
sandblock attach --replace $dev --filter cow file disk.img
sha256sum -c --quiet before; cp /usr/bin/gcc* m/again 2>/dev/null || cp /bin/bash m/again; sync
umount m; fsck.ext4 -fn $dev
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=1400 --rw=randrw --bs=4k \\
  --size=32M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 || { cat fio.log; false; }
sandblock detach $dev
rmmod bdus`, {
  thorough: true,
  // resize2fs writes to a device that is mounted, which the debug kernel only allows when told to.
  kernelArguments: "bdev_allow_write_mounted=1",
});

ringTest("a driver with two queues has more than 1,024 requests at a time", "slowly", 2, (dev) => `
queue=/sys/block/\${dev#/dev/}/queue
[ "$(cd $queue; cat minimum_io_size optimal_io_size discard_granularity max_segments max_sectors_kb)" = "8192
32768
8192
64
64" ]
[ "$(cat /sys/block/\${dev#/dev/}/bdus/label)" = a-test ]
[ "$(ls -d /sys/block/\${dev#/dev/}/mq/*| wc -l)" = 2 ]
fio --filename=${dev} --direct=1 --ioengine=libaio --iodepth=1800 --rw=randwrite --bs=4k --size=8M \\
  --verify=crc32c --verify_fatal=1 --output-format=terse \\
  --name=a --cpus_allowed=0 --name=b --cpus_allowed=1 --offset=32M > fio.log 2>&1 || { cat fio.log; false; }
cat record; [ "$(sed 's/ .*//' record | sort -n | tail -1)" -gt 1024 ]
python3 - ${dev} <<'PY'
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
assert struct.unpack("I", fcntl.ioctl(fd, 0xc0042a01, struct.pack("I", 41)))[0] == 42
PY
if blkdiscard -f -l 65536 ${dev} 2> text; then false; fi; grep "No space left" text
blkdiscard -z -o 1M -l 4M ${dev}
cmp -n 4194304 -i 1048576:0 ${dev} /dev/zero`);

ringTest("a driver that scribbles over its rings harms nobody else", "badly", 1, (dev) => `
good=$(sandblock attach --via bdus memory 16M)
timeout 20 fio --name=x --filename=${dev} --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --bs=4k --size=8M \\
  --continue_on_error=all --time_based --runtime=10 > bad.log 2>&1 &
fio --name=v --filename=$good --direct=1 --ioengine=libaio --iodepth=16 --rw=randrw --bs=4k --size=4M \\
  --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 || { cat fio.log; false; }
wait $! || true
grep -E "err=|issued" bad.log || true
sandblock detach $good`);

kernelTest("bdus: a driver that knows only BDUS 0.1 finds all as it was there", async (kernel) => {
  const module = await builtModule(kernel);
  const driver = await builtProgram("bdus_driver");
  await succeedInGuest(
    `${prelude()}
insmod ${module}
${driver} 67108864 3000 > id & pid=$!
eventually 10 test -s id
dev=/dev/bdus-$(cat id)
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=16 --rw=randrw --bs=4k \\
  --size=4M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 || { cat fio.log; false; }
blkdiscard -z -o 1M -l 4M $dev
cmp -n 4194304 -i 1048576:0 $dev /dev/zero
if blkdiscard -f -l 4096 $dev 2> text; then false; fi; grep "No space left" text
python3 - $dev <<'PY'
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
assert struct.unpack("I", fcntl.ioctl(fd, 0xc0042a01, struct.pack("I", 41)))[0] == 42
try: fcntl.ioctl(fd, 0x80002a01)  # a direction, but no argument
except OSError as error: assert error.errno == 25
else: raise SystemExit("not refused")
PY
echo 1000 > /sys/block/\${dev#/dev/}/queue/io_timeout
if dd if=$dev iflag=direct of=/dev/null bs=4096 skip=8192 count=1 2> text; then false; fi; grep "timed out" text
sleep 4
dd if=$dev iflag=direct of=/dev/null bs=4096 count=1
kill -9 $pid; wait $pid || true
eventually 10 sh -c "! test -e /sys/block/\${dev#/dev/}"
rmmod bdus`,
    { kernel, memoryMegabytes },
  );
}, { thorough: true });

kernelTest(
  "bdus: the executable builds and installs the module that it carries",
  async (kernel) => {
    const headers = await kernelHeaders(kernel);
    const { release } = kernelOf(kernel);
    // Module folders of guests cannot be written to, and depmod would read all of theirs.
    await succeedInGuest(
      `${prelude()}
M=/lib/modules/${release}
mkdir few; cp $M/modules.* few
mount --bind few $M
refused "headers of Linux ${release} are not installed" sandblock kmod build /tmp/bdus
if sandblock kmod status; then false; else [ $? = 2 ]; fi
ln -sfn ${headers} $M/build
CONFIG_DEBUG_INFO_BTF_MODULES= sandblock kmod build /tmp/bdus
refused "it exists; name a new folder" sandblock kmod build /tmp/bdus
sandblock kmod install
sandblock kmod status | grep -E "^ *Installed +yes"
dev=$(sandblock attach --via bdus memory 1M)
sandblock kmod status | grep -E "^ *Loaded +yes, version 0.2"
sandblock detach $dev
rmmod bdus
all_gone`,
      { kernel, memoryMegabytes, timeoutMs: INSTALLATION_MS },
    );
  },
  { among: ["6.1"], thorough: true },
);
