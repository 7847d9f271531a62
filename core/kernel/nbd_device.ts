// SPDX-License-Identifier: MIT
// nbd.ko as a front end, whoever answers: a device is made of connections in transmission, or an old
// one gets new connections. Over netlink, or through ioctls where that cannot be reached.

import { Errno } from "../block/errno.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { GenericNetlink } from "../../native/netlink.ts";
import type { AttachOptions, FrontEnd, FrontFacts } from "./front.ts";
import { kernelDevice } from "./names.ts";
import { makeByIoctl } from "./nbd_ioctl.ts";
import { NbdLinks, type NbdSource } from "./nbd_links.ts";
import {
  connectNbd,
  disconnectNbd,
  NBD_FAMILY,
  NBD_VERSION,
  type NbdSettings,
  reconnectNbd,
  resizeNbd,
} from "./nbd_netlink.ts";
import { deviceNode, readSysfs, writeSysfs } from "./sysfs.ts";

/** What a device is made of. */
export interface NbdMaterials {
  facts: FrontFacts;
  /** Transmission flags of the NBD protocol. */
  flags: number;
  source: NbdSource;
  /** Whether the kernel may still use connections that a predecessor has given it. */
  outlivesPredecessor: boolean;
}

/** Makes a device, or takes one over. Rejects with one sentence; nothing is left then. */
export async function makeNbdDevice(
  materials: NbdMaterials,
  options: AttachOptions,
): Promise<FrontEnd> {
  const { index, predecessor } = options;
  if (index !== null && predecessor === null) refuseBusy(index);
  try {
    if (hasNetlink()) return await makeByNetlink(materials, options);
    if (predecessor === null) return await makeByIoctl(materials, options);
  } catch (error) {
    throw explain(error, index);
  }
  throw new Error(
    `cannot recover ${predecessor.device}: that takes netlink of the machine's own network, ` +
      "which this process is not in",
  );
}

async function makeByNetlink(
  { facts, flags, source, outlivesPredecessor }: NbdMaterials,
  { index: wanted, predecessor, connections, made, beforeTakeOver, log }: AttachOptions,
): Promise<FrontEnd> {
  const settings: NbdSettings = { ...facts, flags };
  const links = new NbdLinks(source, log);
  const sockets: number[] = [];
  try {
    while (sockets.length < connections) {
      sockets.push(await source.open(links.waiter, sockets.length));
    }
    let index = wanted;
    if (predecessor === null) index = connectNbd(wanted, settings, sockets);
    else {
      await beforeTakeOver();
      reconnectNbd(wanted!, settings, sockets);
    }
    const areItsOwn = predecessor === null || !outlivesPredecessor;
    links.begin({ index: index!, settings, sockets: sockets.splice(0), areItsOwn });
    return startedFront(links, index!, facts, predecessor === null ? made : null);
  } catch (error) {
    links.stop();
    for (const fd of sockets) closeDescriptor(fd);
    throw error;
  }
}

/**
 * The front end of a device that has connections. `made` is called for a new one, which is taken back
 * where it cannot be used.
 */
function startedFront(
  links: NbdLinks,
  index: number,
  facts: FrontFacts,
  made: AttachOptions["made"] | null,
): FrontEnd {
  try {
    made?.(kernelDevice("nbd", index), facts);
    return frontOf(links, index, facts);
  } catch (error) {
    if (made !== null) disconnectNbd(index);
    throw error;
  }
}

function frontOf(links: NbdLinks, index: number, facts: FrontFacts): FrontEnd {
  const device = kernelDevice("nbd", index);
  deviceNode(`block/${device.name}`);
  tuneQueue(device.name);
  return {
    device,
    facts,
    ended: links.ended,
    detach() {
      links.stop();
      disconnectNbd(index);
      return Promise.resolve();
    },
    keepsSize: null,
    resize: (size) => Promise.resolve(resizeNbd(index, size, facts.identifier)),
    expectEnd: () => links.expectEnd(),
    leave: () => links.abandon(),
  };
}

/** Reordering requests is the business of what is behind the device. */
export function tuneQueue(name: string): void {
  writeSysfs(`block/${name}/queue/scheduler`, "none");
}

/**
 * Whether this process can reach the driver over netlink: older kernels have it in the machine's own network
 * only, which containers may not be in.
 */
export function hasNetlink(): boolean {
  try {
    using _ = new GenericNetlink(NBD_FAMILY, NBD_VERSION);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

function refuseBusy(index: number): void {
  const pid = readSysfs(`block/nbd${index}/pid`);
  if (pid === null) return;
  throw new Error(
    `cannot attach to /dev/nbd${index}: process ${pid} uses it; leave --device out for a free one`,
  );
}

function explain(error: unknown, index: number | null): unknown {
  if (!(error instanceof SystemError)) return error;
  if (error.errno === Errno.EPERM || error.errno === Errno.EACCES) {
    return new Error("cannot set nbd devices up: only root may (CAP_SYS_ADMIN)");
  }
  if (error.errno === Errno.EBUSY && index !== null) {
    return new Error(`cannot attach to /dev/nbd${index}: it is in use`);
  }
  return error;
}
