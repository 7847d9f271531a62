// SPDX-License-Identifier: MIT
// The kernel module of kmod/: devices of sandblock through it, and drivers that know only BDUS 0.1.

import { runOrExplain } from "../support/private_apt.ts";
import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import { kernel as kernelOf } from "./kernels.ts";
import { BUILDABLE, builtModule, kernelHeaders } from "./module.ts";
import { prelude } from "./script.ts";

const DRIVER = new URL("bdus_driver.c", import.meta.url).pathname;
const memoryMegabytes = 1536;
/** Two builds in a guest take their time. */
const INSTALLATION_MS = 900_000;

function bdusTest(
  name: string,
  script: (module: string) => string,
  { thorough }: { thorough: boolean },
): void {
  kernelTest(`bdus: ${name}`, async (kernel) => {
    const module = await builtModule(kernel);
    await succeedInGuest(`${prelude()}\ninsmod ${module}\n${script(module)}\nall_gone`, {
      kernel,
      memoryMegabytes,
    });
  }, { among: BUILDABLE, thorough });
}

bdusTest("a file system lives on an attached device", (module) => `
dev=$(sandblock attach --via bdus memory 64M)
[ "$dev" = /dev/bdus-0 ]
[ "$(blockdev --getsize64 $dev)" = 67108864 ]
mkfs.ext4 -q $dev
mkdir m; mount $dev m
cp /usr/bin/gcc* m/; sync; fstrim -v m
sha256sum m/gcc* > before
umount m
fsck.ext4 -fn $dev
mount -o ro $dev m; sha256sum -c --quiet before; umount m
sandblock list | grep -E "^/dev/bdus-0 +bdus +64M +served"
sandblock detach $dev
for i in 1 2 3 4 5; do rmmod bdus; insmod ${module}; done
refused "numbers are never used twice" sandblock attach --device /dev/bdus-7 memory 1M
rmmod bdus
refused 'cannot load the kernel module "bdus"' sandblock attach --via bdus memory 1M`, {
  thorough: true,
});

bdusTest("every byte comes back, and a device whose process was killed is recovered", () => `
truncate -s 32M disk.img
dev=$(sandblock attach --via bdus file disk.img)
fio --name=v --filename=$dev --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --bs=4k \\
  --size=8M --verify=crc32c --verify_fatal=1 --output-format=terse > fio.log 2>&1 &
sleep 1
pkill -9 sandblock; eventually 10 sh -c '! pgrep -x sandblock'
sandblock list | grep -E "^/dev/bdus-0 .*abandoned"
truncate -s 16M small.img
refused "only 16777216" sandblock attach --recover $dev file small.img
sandblock attach --recover $dev file disk.img
wait $! || { cat fio.log; false; }
blkdiscard -z -o 1M -l 4M $dev
cmp -n 4194304 -i 1048576:0 $dev /dev/zero
sandblock flush $dev
cmp -n 4194304 -i 1048576:0 disk.img /dev/zero
sandblock detach $dev
rmmod bdus`, { thorough: false });

kernelTest("bdus: a driver that knows only BDUS 0.1 finds all as it was there", async (kernel) => {
  const module = await builtModule(kernel);
  // Guests have a /tmp of their own.
  const driver = module.replace("bdus.ko", "bdus_driver");
  await runOrExplain(["gcc", "-O2", "-Wall", "-Werror", "-o", driver, DRIVER]);
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
}, { among: BUILDABLE, thorough: true });

kernelTest(
  "bdus: the executable builds and installs the module that it carries",
  async (kernel) => {
    const headers = await kernelHeaders(kernel);
    const { release } = kernelOf(kernel);
    // Module folders of guests cannot be written to: a layer of memory above makes them so.
    await succeedInGuest(
      `${prelude()}
M=/lib/modules/${release}
mkdir -p /run/layer
mount -t tmpfs layer /run/layer; mkdir /run/layer/up /run/layer/work
mount -t overlay -o lowerdir=$M,upperdir=/run/layer/up,workdir=/run/layer/work over $M
refused "headers of Linux ${release} are not installed" sandblock kmod build /tmp/bdus
if sandblock kmod status; then false; else [ $? = 2 ]; fi
ln -sfn ${headers} $M/build
CONFIG_DEBUG_INFO_BTF_MODULES= sandblock kmod build /tmp/bdus
refused "it exists; name a new folder" sandblock kmod build /tmp/bdus
sandblock kmod install
sandblock kmod status | grep -E "^ *Installed +yes"
dev=$(sandblock attach --via bdus memory 1M)
sandblock kmod status | grep -E "^ *Loaded +yes, version 0.1"
sandblock detach $dev
rmmod bdus
all_gone`,
      { kernel, memoryMegabytes, timeoutMs: INSTALLATION_MS },
    );
  },
  { among: ["6.1"], thorough: true },
);
