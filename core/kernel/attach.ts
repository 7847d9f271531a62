// SPDX-License-Identifier: MIT
// The ways into the kernel as one: which there are, and what each does with a device.

import type { Server } from "../control/options.ts";
import type { AttachOptions, FrontEnd } from "./front.ts";
import type { KernelDevice, Via } from "./names.ts";
import { attachNbd } from "./nbd_front.ts";
import { disconnectNbd } from "./nbd_netlink.ts";
import { readSysfs } from "./sysfs.ts";

/** Makes a device of an export of `server`. Rejects with one sentence; nothing is left then. */
export function attachDevice(
  via: Via,
  server: Server,
  options: AttachOptions,
): Promise<FrontEnd> {
  if (via === "nbd") return attachNbd(server, options);
  throw new Error(`cannot attach through ${via}: this version of sandblock does not know it`);
}

/** The best way that this kernel has. */
export function bestVia(): Promise<Via> {
  return Promise.resolve("nbd");
}

/** Whether the kernel has the device now. */
export function isAttached({ via, name }: KernelDevice): boolean {
  return via === "nbd" && readSysfs(`block/${name}/pid`) !== null;
}

/** Ends a device, whoever serves it. What it still had to do fails. Rejects with SystemError. */
export async function endDevice({ index }: KernelDevice): Promise<void> {
  await Promise.resolve(disconnectNbd(index));
}
