// SPDX-License-Identifier: MIT
// The ways into the kernel as one: which there are, and what each does with a device.

import type { Server } from "../control/options.ts";
import { attachBdus, endBdus } from "./bdus_front.ts";
import type { AttachOptions, FrontEnd } from "./front.ts";
import { adviceFor, hasModule, isLoadable, loadModule } from "./modules.ts";
import type { KernelDevice, Via } from "./names.ts";
import { hasNetlink } from "./nbd_device.ts";
import { attachNbd } from "./nbd_front.ts";
import { endByIoctl } from "./nbd_ioctl.ts";
import { disconnectNbd } from "./nbd_netlink.ts";
import { readSysfs } from "./sysfs.ts";
import { UblkFlag } from "./ublk_abi.ts";
import { attachUblk, endUblk, hasUblk, openControl } from "./ublk_front.ts";

/** Ways from the best to the one that every kernel has. */
const PREFERENCE: readonly Via[] = ["ublk", "bdus", "nbd"];

/** Makes a device of an export of `server`. Rejects with one sentence; nothing is left then. */
export function attachDevice(
  via: Via,
  server: Server,
  options: AttachOptions,
): Promise<FrontEnd> {
  if (via === "nbd") return attachNbd(server, options);
  return via === "bdus" ? attachBdus(server, options) : attachUblk(server, options);
}

/** The search for a way that works, from the best on. */
export class WaySearch {
  readonly #lacks: { via: Via; why: string }[] = [];
  #next = 0;

  /** The next way that this kernel seems to have. Rejects with what each lacks where there is none. */
  async next(): Promise<Via> {
    while (this.#next < PREFERENCE.length) {
      const via = PREFERENCE[this.#next++]!;
      try {
        await prepare(via);
        return via;
      } catch (error) {
        this.failed(via, error);
      }
    }
    throw this.#failure();
  }

  /** Notes that a way does not work after all. */
  failed(via: Via, error: unknown): void {
    this.#lacks.push({ via, why: (error as Error).message });
  }

  #failure(): Error {
    const [first, ...others] = this.#lacks.map(({ why }) => why);
    // What is wrong with the device itself is so whatever the way.
    if (others.every((why) => why === first)) return new Error(first);
    const lacks = this.#lacks.map(({ via, why }) => `${via}: ${why}`).join("; ");
    return new Error(`cannot attach in any way: ${lacks}; see "sandblock doctor"`);
  }
}

/** Loads the driver of a way. Rejects with what is missing. */
async function prepare(via: Via): Promise<void> {
  if (via === "nbd") return await loadModule("nbd");
  if (via === "bdus") {
    if (hasModule("bdus") || isLoadable("bdus")) return await loadModule("bdus");
    throw new Error(`the module is not installed; ${adviceFor("bdus")}`);
  }
  using control = await openControl();
  if ((await control.features() & UblkFlag.IoctlEncode) !== 0) return;
  throw new Error("the driver is too old; Linux 6.4 or later is needed");
}

/** Whether the kernel has the device now. */
export function isAttached({ via, name }: KernelDevice): boolean {
  return readSysfs(via === "nbd" ? `block/${name}/pid` : `block/${name}/size`) !== null;
}

/** Whether there is something of a device whose process was killed while it made it. */
export function isHalfMade({ via, index }: KernelDevice): boolean {
  return via === "ublk" && hasUblk(index);
}

/** Ends a device, whoever serves it. What it still had to do fails. Rejects with SystemError. */
export async function endDevice({ via, index }: KernelDevice): Promise<void> {
  if (via === "ublk") await endUblk(index);
  else if (via === "bdus") await endBdus(index);
  else if (hasNetlink()) disconnectNbd(index);
  else endByIoctl(index);
}
