// SPDX-License-Identifier: MIT
// nbd.ko without netlink (uapi/linux/nbd.h): for containers with a network of their own, where older kernels
// do not show the driver's netlink family. The device lives as long as one call, and cannot be recovered.

import { Errno } from "../block/errno.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import { ioctlLong, ioctlWith, ioctlWithBig } from "../../native/ioctl.ts";
import { Waiter } from "../../native/waiter.ts";
import type { AttachOptions, FrontEnd, FrontFacts } from "./front.ts";
import { kernelDevice } from "./names.ts";
import { type NbdMaterials, tuneQueue } from "./nbd_device.ts";
import { blockDeviceNames, deviceNode, readSysfs } from "./sysfs.ts";

const NbdIoctl = {
  SetSocket: 0xab00,
  SetBlockSize: 0xab01,
  DoIt: 0xab03,
  ClearSocket: 0xab04,
  SetSizeBlocks: 0xab07,
  Disconnect: 0xab08,
  SetTimeout: 0xab09,
  SetFlags: 0xab0a,
} as const;

const POLL_MS = 2;

/** Makes a device. Rejects; nothing is left then. */
export async function makeByIoctl(
  { facts, flags, source }: NbdMaterials,
  { index, connections, log }: AttachOptions,
): Promise<FrontEnd> {
  const waiter = new Waiter();
  const sockets: number[] = [];
  try {
    while (sockets.length < connections) sockets.push(await source.open(waiter, sockets.length));
    const taken = index === null ? takeFree(sockets[0]!) : take(index, sockets[0]!);
    // Nobody can give such a device new connections.
    facts.recoverySeconds = 0;
    log("info", `/dev/nbd${taken.index} is made without netlink: it ends with its process`);
    try {
      for (const socket of sockets.slice(1)) set(taken, NbdIoctl.SetSocket, socket);
      setUp(taken, facts, flags);
    } catch (error) {
      ioctlWith(taken.fd, NbdIoctl.ClearSocket, 0);
      closeDescriptor(taken.fd);
      throw error;
    }
    return await start(taken, facts);
  } finally {
    waiter.stop();
    // The kernel has its own references.
    for (const fd of sockets) closeDescriptor(fd);
  }
}

/** Ends a device, however it was made. Throws SystemError. */
export function endByIoctl(index: number): void {
  const fd = openFile(deviceNode(`block/nbd${index}`), Open.ReadWrite);
  disconnect(fd);
  closeDescriptor(fd);
}

/** A device that has its first socket. */
interface Taken {
  index: number;
  fd: number;
}

/** Throws SystemError: EBUSY for one that is in use. */
function take(index: number, socket: number): Taken {
  const fd = openFile(deviceNode(`block/nbd${index}`), Open.ReadWrite);
  const taken = { index, fd };
  try {
    set(taken, NbdIoctl.SetSocket, socket);
    return taken;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function takeFree(socket: number): Taken {
  for (const name of blockDeviceNames("nbd")) {
    if (readSysfs(`block/${name}/pid`) !== null) continue;
    try {
      return take(Number(name.slice("nbd".length)), socket);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== Errno.EBUSY) throw error;
    }
  }
  throw new Error(
    "cannot attach: all nbd devices are in use; load the module with a larger nbds_max",
  );
}

function set({ index, fd }: Taken, request: number, value: number): void {
  const status = ioctlWith(fd, request, value);
  if (status < 0) throw new SystemError(`set /dev/nbd${index} up`, -status);
}

function setUp(taken: Taken, facts: FrontFacts, flags: number): void {
  set(taken, NbdIoctl.SetBlockSize, facts.blockSize);
  setSize(taken, facts.size, facts.blockSize);
  set(taken, NbdIoctl.SetFlags, flags);
  set(taken, NbdIoctl.SetTimeout, facts.timeoutSeconds);
}

async function start(taken: Taken, facts: FrontFacts): Promise<FrontEnd> {
  const { index, fd } = taken;
  const device = kernelDevice("nbd", index);
  let isOver = false;
  const ended = ioctlLong(fd, NbdIoctl.DoIt).then(() => {
    isOver = true;
    // The device is free for others when nobody has it open.
    closeDescriptor(fd);
  });
  while (readSysfs(`block/${device.name}/pid`) === null) {
    if (isOver) throw new Error(`cannot start ${device.path}: the kernel ends it at once`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  tuneQueue(device.name);
  return {
    device,
    facts,
    ended,
    async detach() {
      if (!isOver) disconnect(fd);
      await ended;
    },
    keepsSize: null,
    resize(size) {
      setSize(taken, size, facts.blockSize);
      return Promise.resolve();
    },
    expectEnd() {},
    leave() {},
  };
}

function setSize(taken: Taken, size: bigint, blockSize: number): void {
  const status = ioctlWithBig(taken.fd, NbdIoctl.SetSizeBlocks, size / BigInt(blockSize));
  if (status < 0) throw new SystemError(`set the size of /dev/nbd${taken.index}`, -status);
}

function disconnect(fd: number): void {
  ioctlWith(fd, NbdIoctl.Disconnect, 0);
  ioctlWith(fd, NbdIoctl.ClearSocket, 0);
}
