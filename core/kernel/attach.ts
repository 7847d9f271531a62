// SPDX-License-Identifier: MIT
// The ways into the kernel as one: which there are, and what each does with a device.

import type { Server } from "../control/options.ts";
import { attachBdus, endBdus } from "./bdus_front.ts";
import type { AttachOptions, FrontEnd } from "./front.ts";
import { hasModule, isLoadable, loadModule } from "./modules.ts";
import type { KernelDevice, Via } from "./names.ts";
import { attachNbd } from "./nbd_front.ts";
import { disconnectNbd } from "./nbd_netlink.ts";
import { readSysfs } from "./sysfs.ts";
import { UblkFlag } from "./ublk_abi.ts";
import { UblkControlDevice } from "./ublk_control.ts";
import { attachUblk, endUblk } from "./ublk_front.ts";

/** Makes a device of an export of `server`. Rejects with one sentence; nothing is left then. */
export function attachDevice(
  via: Via,
  server: Server,
  options: AttachOptions,
): Promise<FrontEnd> {
  if (via === "nbd") return attachNbd(server, options);
  return via === "bdus" ? attachBdus(server, options) : attachUblk(server, options);
}

/** The best way that this kernel has. Rejects where it has none, with what nbd lacks. */
export async function bestVia(): Promise<Via> {
  try {
    using control = await UblkControlDevice.open();
    if ((await control.features() & UblkFlag.IoctlEncode) !== 0) return "ublk";
  } catch {
    // Many kernels have no ublk, and io_uring may be switched off.
  }
  if (hasModule("bdus") || isLoadable("bdus")) return "bdus";
  await loadModule("nbd").catch((error) => {
    throw new Error(`${error.message}; "sandblock doctor" looks at the other ways`);
  });
  return "nbd";
}

/** Whether the kernel has the device now. */
export function isAttached({ via, name }: KernelDevice): boolean {
  return readSysfs(via === "nbd" ? `block/${name}/pid` : `block/${name}/size`) !== null;
}

/** Ends a device, whoever serves it. What it still had to do fails. Rejects with SystemError. */
export async function endDevice({ via, index }: KernelDevice): Promise<void> {
  if (via === "ublk") await endUblk(index);
  else if (via === "bdus") await endBdus(index);
  else disconnectNbd(index);
}
