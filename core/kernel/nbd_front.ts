// SPDX-License-Identifier: MIT
// nbd.ko in front of our own server: pairs of sockets, one end in the kernel, the other in a reactor,
// which is in transmission at once because both sides are told the same here.

import type { ExportInfo } from "../block/export.ts";
import { toBigInt } from "../block/uint64.ts";
import type { Server } from "../control/options.ts";
import { transmissionFlags } from "../nbd/flags.ts";
import { Replies, TransmissionFlag } from "../nbd/wire.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { socketPair } from "../../native/socket.ts";
import {
  type AttachOptions,
  checkSuccession,
  type Extent,
  type FrontEnd,
  type FrontFacts,
  logicalBlockSize,
  refuseZones,
  sizeInBlocks,
} from "./front.ts";
import { loadModule } from "./modules.ts";
import { makeNbdDevice } from "./nbd_device.ts";
import type { NbdSource } from "./nbd_links.ts";

/** Buffers of each socket: several of the largest requests that the kernel sends. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
const POLL_MS = 10;

/** Makes an nbd device of an export of `server`. Rejects with one sentence; nothing is left then. */
export async function attachNbd(server: Server, options: AttachOptions): Promise<FrontEnd> {
  await loadModule("nbd");
  const info = await server.describe(options.exportName);
  refuseZones(info, "nbd");
  const flags = kernelFlags(info);
  if (options.connections > 1 && (flags & TransmissionFlag.CanMultiConn) === 0) {
    throw new Error(
      `cannot use ${options.connections} connections: a flush on one of them would not cover the others`,
    );
  }
  const facts = nbdFacts(info, flags, options);
  // The front end notices by itself when the device is over, or lets the kernel have new connections.
  server.outliveClients();
  const source = sourceOf(server, options.exportName, flags);
  return await makeNbdDevice({ facts, flags, source, outlivesPredecessor: false }, options);
}

/** What the kernel is told that a device is like. Throws Error where it cannot succeed another one. */
export function nbdFacts(
  info: Extent,
  flags: number,
  { predecessor, connections, depth, timeoutSeconds, recoverySeconds }: AttachOptions,
): FrontFacts {
  const blockSize = logicalBlockSize(info);
  const facts: FrontFacts = {
    size: sizeInBlocks(info, blockSize),
    blockSize,
    readOnly: (flags & TransmissionFlag.ReadOnly) !== 0,
    connections,
    queues: 1,
    depth,
    timeoutSeconds,
    recoverySeconds,
    identifier: predecessor?.identifier ?? `sandblock-${crypto.randomUUID()}`,
  };
  if (predecessor === null) return facts;
  checkSuccession(facts, predecessor);
  // The kernel keeps what it was told at first.
  return { ...facts, size: BigInt(predecessor.size), blockSize: predecessor.blockSize };
}

function kernelFlags(info: ExportInfo): number {
  return transmissionFlags(info, Replies.Simple, false) &
    ~(TransmissionFlag.SendCache | TransmissionFlag.SendFastZero);
}

/** Pairs of sockets with one end at the server. */
function sourceOf(server: Server, exportName: string, flags: number): NbdSource {
  return {
    async open(waiter, others) {
      // What was under way on a connection that is lost comes again on this one. It must not still be
      // at work then: it would change what is written after that.
      while (server.clients() > others) {
        if (await waiter.wait([], POLL_MS) === null) throw new Error("it was given up");
      }
      const { sizeHigh, sizeLow } = await server.describe(exportName);
      const size = toBigInt(sizeHigh, sizeLow);
      const [kernelEnd, ownEnd] = socketPair(SOCKET_BUFFER_BYTES);
      const transmission = { exportName, size, flags, replies: "simple" as const };
      try {
        await server.connect({ inputFd: ownEnd, outputFd: ownEnd, transmission });
        return kernelEnd;
      } catch (error) {
        for (const fd of [kernelEnd, ownEnd]) closeDescriptor(fd);
        throw error;
      }
    },
  };
}
