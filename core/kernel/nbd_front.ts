// SPDX-License-Identifier: MIT
// nbd.ko as a front end: pairs of sockets, one end in the kernel, the other in a reactor, which is in
// transmission at once because both sides are told the same here.

import { Errno } from "../block/errno.ts";
import type { Server } from "../control/options.ts";
import { transmissionFlags } from "../nbd/flags.ts";
import { Replies, TransmissionFlag } from "../nbd/wire.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { socketPair } from "../../native/socket.ts";
import {
  type AttachOptions,
  checkSuccession,
  type FrontEnd,
  type FrontFacts,
  logicalBlockSize,
  sizeInBlocks,
} from "./front.ts";
import { loadModule } from "./modules.ts";
import { kernelDevice } from "./names.ts";
import {
  connectNbd,
  disconnectNbd,
  type NbdSettings,
  reconnectNbd,
  resizeNbd,
} from "./nbd_netlink.ts";
import { deviceNode, readSysfs, writeSysfs } from "./sysfs.ts";

/** Buffers of each socket: several of the largest requests that the kernel sends. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** Makes an nbd device of an export of `server`. Rejects with one sentence; nothing is left then. */
export async function attachNbd(server: Server, options: AttachOptions): Promise<FrontEnd> {
  await loadModule("nbd");
  const { index, predecessor } = options;
  if (index !== null && predecessor === null) refuseBusy(index);
  const { facts, flags, exportSize } = await settle(server, options);
  const settings: NbdSettings = { ...facts, flags };
  const terms = {
    exportName: options.exportName,
    size: exportSize,
    flags,
    replies: "simple" as const,
  };
  const kernelEnds: number[] = [];
  try {
    for (let i = 0; i < options.connections; i++) {
      const [kernelEnd, ownEnd] = socketPair(SOCKET_BUFFER_BYTES);
      kernelEnds.push(kernelEnd);
      await server.connect({ inputFd: ownEnd, outputFd: ownEnd, transmission: terms });
    }
    if (predecessor === null) {
      return startedFront(connectNbd(index, settings, kernelEnds), facts);
    }
    await options.beforeTakeOver();
    reconnectNbd(index!, settings, kernelEnds);
    return front(index!, facts);
  } catch (error) {
    throw explain(error, index);
  } finally {
    for (const fd of kernelEnds) closeDescriptor(fd);
  }
}

/** What kernel and reactor are both told. */
async function settle(server: Server, options: AttachOptions) {
  const { exportName, predecessor, connections, depth, timeoutSeconds, recoverySeconds } = options;
  const info = await server.describe(exportName);
  const flags = transmissionFlags(info, Replies.Simple, false) &
    ~(TransmissionFlag.SendCache | TransmissionFlag.SendFastZero);
  if (connections > 1 && (flags & TransmissionFlag.CanMultiConn) === 0) {
    throw new Error(
      `cannot use ${connections} connections: a flush on one of them would not cover the others`,
    );
  }
  const blockSize = logicalBlockSize(info);
  const facts: FrontFacts = {
    size: sizeInBlocks(info, blockSize),
    blockSize,
    readOnly: (flags & TransmissionFlag.ReadOnly) !== 0,
    connections,
    depth,
    timeoutSeconds,
    recoverySeconds,
    identifier: predecessor?.identifier ?? `sandblock-${crypto.randomUUID()}`,
  };
  if (predecessor !== null) {
    checkSuccession(facts, predecessor);
    // The kernel keeps what it was told at first.
    facts.size = BigInt(predecessor.size);
    facts.blockSize = predecessor.blockSize;
  }
  const exportSize = BigInt(info.sizeHigh) << 32n | BigInt(info.sizeLow);
  return { facts, flags, exportSize };
}

/** The front end of a device that was made just now; takes it back where it cannot be used. */
function startedFront(index: number, facts: FrontFacts): FrontEnd {
  try {
    return front(index, facts);
  } catch (error) {
    disconnectNbd(index);
    throw error;
  }
}

function front(index: number, facts: FrontFacts): FrontEnd {
  const device = kernelDevice("nbd", index);
  deviceNode(`block/${device.name}`);
  // Reordering requests is the business of what is behind the device.
  writeSysfs(`block/${device.name}/queue/scheduler`, "none");
  return {
    device,
    facts,
    detach: () => Promise.resolve(disconnectNbd(index)),
    resize: (size) => Promise.resolve(resizeNbd(index, size, facts.identifier)),
  };
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
