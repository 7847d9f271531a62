// SPDX-License-Identifier: MIT
// What cannot be done is refused in one sentence that says why, and nothing is left of the attempt.

import { kernelTest, type KernelTestOptions } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";
import { wayTest } from "./ways.ts";

const memoryMegabytes = 1536;

function refusalTest(name: string, script: string, options: KernelTestOptions): void {
  const body = async (kernel: KernelVersion) => {
    await succeedInGuest(`${prelude()}${script}\nall_gone`, { kernel, memoryMegabytes });
  };
  kernelTest(name, body, options);
}

refusalTest(
  "what cannot be attached is refused in a sentence",
  `
modprobe nbd; rmmod nbd; mount -t tmpfs none /lib/modules
refused 'cannot load the kernel module "nbd" for Linux .*: ' sandblock attach memory 1M
refused 'cannot load the kernel module "ublk_drv" for Linux .*: .* part of Linux 6.0 and later' \\
  sandblock attach --via ublk memory 1M
refused 'cannot load the kernel module "bdus" for Linux .*: .*"sandblock kmod install" builds and installs it' \\
  sandblock attach --via bdus memory 1M
umount /lib/modules
refused "is not one that sandblock makes; use /dev/nbdN" sandblock attach --device /dev/sda memory 1M
refused "is not one that sandblock makes" sandblock attach --device /dev/nbd memory 1M
refused "is not one that sandblock makes" sandblock attach --device /tmp/nbd0 memory 1M
refused "is not one that sandblock makes" sandblock detach /dev/null
refused "is not one that sandblock makes" sandblock resize "" 1M
refused "that is a device of nbd" sandblock attach --via ublk --device /dev/nbd0 memory 1M
refused "cannot use --recover together with|cannot use --device together with" \\
  sandblock attach --device /dev/nbd0 --recover /dev/nbd0 memory 1M
refused "sandblock has not attached it" sandblock detach /dev/nbd5
refused "sandblock does not know it" sandblock attach --recover /dev/nbd5 memory 1M
refused "sandblock does not know it" sandblock attach --replace /dev/nbd5 memory 1M
refused "cannot attach an export of 100 bytes" sandblock attach data "0 * 100"
refused "missing" sandblock attach file missing.img`,
  { among: ["6.1"] },
);

refusalTest(
  "a kernel that lacks something is named with it, and the next best way is taken",
  `
# The driver is there, and io_uring is switched off.
echo 2 > /proc/sys/kernel/io_uring_disabled
refused "cannot use ublk: io_uring is switched off" sandblock attach --via ublk memory 1M
dev=$(sandblock attach memory 1M)
[ "$dev" = /dev/nbd0 ]
sandblock doctor > text || true
grep -E "^ *io_uring +.*io_uring_disabled|io_uring.*cannot be used" text
sandblock detach $dev
echo 0 > /proc/sys/kernel/io_uring_disabled
dev=$(sandblock attach memory 1M)
[ "$dev" = /dev/ublkb0 ]
refused "ublk of this kernel cannot" sandblock resize $dev 2M
sandblock detach $dev
refused "only root may" setpriv --reuid 65534 --regid 65534 --clear-groups \
  "\${program[@]}" attach --via nbd memory 1M`,
  { among: ["6.12"], thorough: true },
);

wayTest(
  "a device that is in use is not given to a second process",
  ({ via, choice, chosen }) => `
truncate -s 16M disk.img
dev=$(sandblock attach $via ${choice} file disk.img)
[ "$dev" = ${chosen} ]
verify $dev --iodepth=16 --rw=randwrite --bs=4k --size=8M & load=$!
refused "uses it; leave --device out|in use; leave --device out|never used twice" \\
  sandblock attach --device $dev memory 1M
refused "serves it; --replace takes it" sandblock attach --recover $dev file disk.img
truncate -s 8M small.img
refused "only 8388608" sandblock attach --replace $dev file small.img
refused "read-only" sandblock attach --replace $dev -r file disk.img
refused "missing" sandblock attach --replace $dev file missing.img
# Whoever could not have it has not harmed it.
wait $load
sandblock status $dev | grep -E "^  Is +served$"
${
    via === "nbd"
      ? `nbdkit -U /tmp/n.sock -P /tmp/n.pid memory 16M
eventually 10 test -e /tmp/n.pid
nbd-client -unix /tmp/n.sock /dev/nbd7
refused "process [0-9]+ uses it; leave --device out" sandblock attach --device /dev/nbd7 memory 1M
refused "sandblock has not attached it" sandblock detach /dev/nbd7
refused "sandblock does not know it" sandblock attach --recover /dev/nbd7 memory 1M
nbd-client -d /dev/nbd7`
      : ""
  }
sandblock detach $dev`,
  { thorough: true },
);

wayTest(
  "of two processes that want the same device at the same time, one gets it",
  ({ chosen }) => `
for round in 1 2 3; do
  for i in 1 2; do
    (if sandblock attach --device ${chosen} memory 1M > out.$i 2> text.$i; then echo 0; else echo $?; fi > status.$i) &
  done
  wait
  [ "$(sort status.* | tr -d '\\n')" = 01 ]
  cat text.*
  [ "$(cat text.* | grep -cE "^sandblock: error: .*(in use|uses it)")" = 1 ]
  sandblock status ${chosen} | grep -E "^  Is +served$"
  sandblock detach ${chosen}
  all_gone
done`,
  { vias: ["nbd", "ublk"], thorough: true },
);

wayTest(
  "nodes are made where nothing else makes them",
  ({ dev }) => `
mkdir nodes; mount -t tmpfs none nodes
cp -a /dev/null /dev/zero /dev/urandom /dev/random /dev/tty* nodes/
mkdir nodes/shm nodes/pts; ln -s /proc/self/fd nodes/fd
mount --move nodes /dev
dev=$(sandblock attach $via memory 16M)
[ "$dev" = ${dev} ]
[ -b $dev ]
verify $dev --iodepth=4 --rw=randrw --bs=4k --size=2M
sandblock list | grep "^$dev"
sandblock detach $dev
umount -l /dev`,
  { thorough: true },
);
