// SPDX-License-Identifier: MIT
// The module bdus as a front end: a session of its control device becomes the driver of a new device,
// or of one whose driver has died, and a reactor answers.

import { type ExportInfo, Support } from "../block/export.ts";
import type { Server } from "../control/options.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import type { BdusDescription } from "./bdus_ring_abi.ts";
import { BdusSession, type DrivenDevice, requestSeconds } from "./bdus_control.ts";
import {
  type AttachOptions,
  checkSuccession,
  ENDS_WITH_SERVER,
  type FrontEnd,
  type FrontFacts,
  logicalBlockSize,
  refuseZones,
  sizeInBlocks,
} from "./front.ts";
import { loadModule } from "./modules.ts";
import { kernelDevice } from "./names.ts";
import { deviceNode, readSysfs, writeSysfs } from "./sysfs.ts";

const POLL_MS = 20;
/** A device appears when its partition table was read. */
const APPEARANCE_MS_MAX = 30_000;
const DISAPPEARANCE_MS_MAX = 10_000;

/** Makes a BDUS device of an export of `server`. Rejects with one sentence; nothing is left then. */
export async function attachBdus(server: Server, options: AttachOptions): Promise<FrontEnd> {
  const { index, predecessor, exportName } = options;
  if (index !== null && predecessor === null) {
    throw new Error(
      `cannot attach to /dev/bdus-${index}: numbers are never used twice; leave --device out`,
    );
  }
  await loadModule("bdus");
  const info = await server.describe(exportName);
  refuseZones(info, "bdus");
  using session = BdusSession.open();
  const facts = factsOf(info, options, session.depthMax);
  if (predecessor !== null) await options.beforeTakeOver();
  const made = predecessor === null ? session.create(info, facts) : session.takeOver(index!);
  facts.depth = made.depth;
  facts.queues = made.queues;
  if (predecessor === null) options.made(kernelDevice("bdus", made.id), facts);
  await serve(server, session, made, exportName);
  return await appeared(made, facts);
}

async function serve(
  server: Server,
  session: BdusSession,
  made: DrivenDevice,
  exportName: string,
): Promise<void> {
  const { id: device, queues, depth, requestBytesMax, rings, ioctlGives } = made;
  for (let queue = 0; queue < queues; queue++) {
    const fd = session.queueFile(made, queue);
    try {
      await server.serveBdus({
        fd,
        rings,
        device,
        queue,
        depth,
        requestBytesMax,
        ioctlGives,
        exportName,
      });
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
  }
}

/** Ends a device, whoever serves it. Rejects with SystemError. */
export async function endBdus(device: number): Promise<void> {
  {
    using session = BdusSession.open();
    session.destroy(device);
  }
  const { name } = kernelDevice("bdus", device);
  await until(() => readSysfs(`block/${name}/size`) === null, DISAPPEARANCE_MS_MAX);
}

/** What the module says about a device; null where it does not say, or does not have it. */
export function describeBdus(device: number): BdusDescription | null {
  try {
    using session = BdusSession.open();
    return session.describe(device);
  } catch {
    // Not everybody may ask, and the module may be gone.
    return null;
  }
}

function factsOf(info: ExportInfo, options: AttachOptions, depthMax: number): FrontFacts {
  const { predecessor, depth, timeoutSeconds, recoverySeconds } = options;
  const blockSize = logicalBlockSize(info);
  const facts: FrontFacts = {
    size: sizeInBlocks(info, blockSize),
    blockSize,
    readOnly: info.readOnly || info.can.write === Support.None,
    connections: 1,
    queues: options.queues,
    depth: Math.min(depth, depthMax),
    timeoutSeconds,
    recoverySeconds,
    identifier: "",
  };
  if (predecessor === null) return facts;
  checkSuccession(facts, predecessor);
  // The kernel keeps what it was told at first.
  return { ...facts, size: BigInt(predecessor.size), blockSize: predecessor.blockSize };
}

/** The device, once the kernel shows it. */
async function appeared({ id, rings }: DrivenDevice, facts: FrontFacts): Promise<FrontEnd> {
  const device = kernelDevice("bdus", id);
  const isThere = () => readSysfs(`block/${device.name}/queue/io_timeout`) !== null;
  if (!await until(isThere, APPEARANCE_MS_MAX)) {
    await endBdus(id);
    throw new Error(`cannot attach ${device.path}: it does not appear`);
  }
  deviceNode(`block/${device.name}`);
  writeSysfs(`block/${device.name}/queue/io_timeout`, `${requestSeconds(facts) * 1000}`);
  return {
    device,
    facts,
    ...ENDS_WITH_SERVER,
    detach: () => endBdus(id),
    keepsSize: rings ? null : "the module that made it keeps sizes; detach it first",
    resize: (size) => resize(id, size),
  };
}

function resize(device: number, size: bigint): Promise<void> {
  using session = BdusSession.open();
  session.resize(device, size);
  return Promise.resolve();
}

/** Whether `fact` becomes true within that time. */
async function until(fact: () => boolean, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!fact()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
