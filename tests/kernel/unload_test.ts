// SPDX-License-Identifier: MIT
// A driver can be unloaded right after its device is detached: again and again.
// SANDBLOCK_TEST_UNLOADS says how often; 200 times unless given.

import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { builtModule } from "./module.ts";
import { prelude } from "./script.ts";

const TIMES = Number(Deno.env.get("SANDBLOCK_TEST_UNLOADS") ?? "200");
/** Starting two programs takes seconds in a guest. */
const SECONDS_EACH = 30;

const WAYS: readonly { via: string; among: readonly KernelVersion[] }[] = [
  { via: "nbd", among: ["6.1"] },
  { via: "bdus", among: ["6.1"] },
  { via: "ublk", among: ["6.12"] },
];

for (const { via, among } of WAYS) {
  kernelTest(`${via}: the driver goes right after the device, ${TIMES} times`, async (kernel) => {
    const load = via === "bdus" ? `insmod ${await builtModule(kernel)}` : "true";
    const module = via === "ublk" ? "ublk_drv" : via;
    await succeedInGuest(
      `${prelude()}
set +x
for i in $(seq ${TIMES}); do
  ${load}
  dev=$(sandblock attach --via ${via} memory 1M)
  dd if=/dev/urandom of=$dev bs=64k count=2 status=none
  sandblock detach $dev
  rmmod ${module}
done
all_gone`,
      { kernel, memoryMegabytes: 1536, timeoutMs: TIMES * SECONDS_EACH * 1000 },
    );
  }, { among, thorough: true });
}
