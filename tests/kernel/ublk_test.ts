// SPDX-License-Identifier: MIT
// What only ublk offers: devices of users without rights.

import { kernelTest, type KernelTestOptions } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { prelude } from "./script.ts";

function ublkTest(name: string, script: string, options: KernelTestOptions): void {
  const body = async (kernel: KernelVersion) => {
    await succeedInGuest(`${prelude()}${script}`, { kernel, memoryMegabytes: 1536 });
  };
  kernelTest(`ublk: ${name}`, body, options);
}

ublkTest(
  "a user without rights makes a device where udev allows it",
  `
modprobe ublk_drv
mkdir -m 700 state; chown nobody state
as_user() {
  setpriv --reuid=65534 --regid=65534 --clear-groups env SANDBLOCK_STATE=/tmp/state HOME=/tmp/state "$@"
}
refused "may not open /dev/ublk-control" as_user "\${program[@]}" attach --via ublk memory 16M
chmod 666 /dev/ublk-control
refused "a rule of udev has to give it" as_user "\${program[@]}" attach --via ublk memory 16M
# What a rule of udev would do.
(while sleep 0.05; do chown nobody /dev/ublkc* /dev/ublkb* || true; done) 2>/dev/null 9>/dev/null & udev=$!
dev=$(as_user "\${program[@]}" attach --via ublk memory 16M)
dd if=/dev/urandom of=random bs=1M count=4 status=none
chmod a+r random
as_user dd if=random of=$dev bs=1M oflag=direct status=none
as_user cmp -n 4194304 random $dev
as_user "\${program[@]}" list | grep -E "^$dev +ublk +16M +served"
as_user "\${program[@]}" detach $dev
kill $udev
all_gone`,
  { among: ["6.12", "7.2"], thorough: true },
);
