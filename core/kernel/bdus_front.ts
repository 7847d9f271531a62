// SPDX-License-Identifier: MIT
// The module bdus as a front end: a session of its control device becomes the driver of a new device,
// or of one whose driver has died, and a reactor answers.

import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import type { Server } from "../control/options.ts";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { errnoName } from "../block/errno.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import { ioctl } from "../../native/ioctl.ts";
import {
  BDUS_DEPTH_MAX,
  BDUS_FEATURE_POLL,
  type BdusAdjusted,
  BdusRequest,
  decodeConfig,
  encodeConfig,
  encodeDevice,
  featuresOf,
} from "./bdus_abi.ts";
import {
  type AttachOptions,
  checkSuccession,
  type FrontEnd,
  type FrontFacts,
  largestRequest,
  logicalBlockSize,
  sizeInBlocks,
} from "./front.ts";
import { loadModule } from "./modules.ts";
import { kernelDevice } from "./names.ts";
import { deviceNode, readSysfs, writeSysfs } from "./sysfs.ts";

const CONTROL = "class/misc/bdus-control";
const POLL_MS = 20;
/** A device appears when its partition table was read. */
const APPEARANCE_MS_MAX = 30_000;
const DISAPPEARANCE_MS_MAX = 10_000;
/** What the block layer does without a wish. */
const TIMEOUT_SECONDS_DEFAULT = 30;

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
  const facts = factsOf(info, options);
  const fd = openControl();
  let made: BdusAdjusted;
  try {
    if (predecessor !== null) await options.beforeTakeOver();
    made = predecessor === null ? create(fd, info, facts) : takeOver(fd, index!);
    facts.depth = made.depth;
    const { id: device, depth, requestBytesMax } = made;
    await server.serveBdus({ fd, device, depth, requestBytesMax, exportName });
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return await appeared(made.id, facts);
}

/** Ends a device, whoever serves it. Rejects with SystemError. */
export async function endBdus(device: number): Promise<void> {
  const fd = openControl();
  const id = new BigUint64Array([BigInt(device)]);
  const status = ioctl(fd, BdusRequest.TriggerDestruction, new Uint8Array(id.buffer));
  closeDescriptor(fd);
  if (status < 0) throw new SystemError(`destroy /dev/bdus-${device}`, -status);
  const { name } = kernelDevice("bdus", device);
  await until(() => readSysfs(`block/${name}/size`) === null, DISAPPEARANCE_MS_MAX);
}

function factsOf(info: ExportInfo, options: AttachOptions): FrontFacts {
  const { predecessor, depth, timeoutSeconds, recoverySeconds } = options;
  const blockSize = logicalBlockSize(info);
  const facts: FrontFacts = {
    size: sizeInBlocks(info, blockSize),
    blockSize,
    readOnly: info.readOnly || info.can.write === Support.None,
    connections: 1,
    depth: Math.min(depth, BDUS_DEPTH_MAX),
    timeoutSeconds,
    recoverySeconds,
    identifier: "",
  };
  if (predecessor === null) return facts;
  checkSuccession(facts, predecessor);
  // The kernel keeps what it was told at first.
  return { ...facts, size: BigInt(predecessor.size), blockSize: predecessor.blockSize };
}

/** A session that makes nobody wait. Throws Error. */
function openControl(): number {
  let fd: number;
  try {
    fd = openFile(deviceNode(CONTROL), Open.ReadWrite);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno !== Errno.EPERM && error.errno !== Errno.EACCES) throw error;
    throw new Error("cannot set BDUS devices up: only root may (CAP_SYS_ADMIN)");
  }
  setNonBlocking(fd);
  const query = new Uint8Array(16);
  query[0] = query.length;
  const status = ioctl(fd, BdusRequest.Query, query);
  if (status === 0 && (featuresOf(query) & BDUS_FEATURE_POLL) !== 0) return fd;
  closeDescriptor(fd);
  throw new Error(
    "cannot use the module that answers for /dev/bdus-control: it cannot be polled; " +
      'unload it; "sandblock kmod install" installs one that can',
  );
}

function create(fd: number, info: ExportInfo, facts: FrontFacts): BdusAdjusted {
  const { can, rotational } = info;
  const { size, blockSize, readOnly, depth, recoverySeconds } = facts;
  const flush = can.flush !== Support.None;
  const config = encodeConfig({
    size,
    blockSize,
    requestBytesMax: largestRequest(info),
    depth,
    read: true,
    write: !readOnly,
    writeZeroes: !readOnly && can.zero !== Support.None,
    fua: !readOnly && flush && can.fua !== Support.None,
    flush,
    discard: !readOnly && can.trim !== Support.None,
    rotational,
    recoverable: recoverySeconds > 0,
  });
  const status = ioctl(fd, BdusRequest.CreateDevice, config);
  if (status < 0) {
    throw new Error(`cannot create a BDUS device: the module says ${errnoName(-status)}`);
  }
  return decodeConfig(config);
}

function takeOver(fd: number, device: number): BdusAdjusted {
  const config = encodeDevice(device);
  const status = ioctl(fd, BdusRequest.AttachToDevice, config);
  if (status === 0) return decodeConfig(config);
  const reasons: Record<number, string> = {
    [Errno.ENODEV]: "it is gone",
    [Errno.EINVAL]: "there was never one of this number",
    [Errno.EBUSY]: "it is not ready yet",
    [Errno.EINPROGRESS]: "another process is taking it over",
  };
  const reason = reasons[-status] ?? `the module says ${errnoName(-status)}`;
  throw new Error(`cannot recover /dev/bdus-${device}: ${reason}`);
}

/** The device, once the kernel shows it. */
async function appeared(index: number, facts: FrontFacts): Promise<FrontEnd> {
  const device = kernelDevice("bdus", index);
  const isThere = () => readSysfs(`block/${device.name}/queue/io_timeout`) !== null;
  if (!await until(isThere, APPEARANCE_MS_MAX)) {
    await endBdus(index);
    throw new Error(`cannot attach ${device.path}: it does not appear`);
  }
  deviceNode(`block/${device.name}`);
  const { timeoutSeconds, recoverySeconds } = facts;
  const seconds = Math.max(timeoutSeconds, recoverySeconds, TIMEOUT_SECONDS_DEFAULT);
  writeSysfs(`block/${device.name}/queue/io_timeout`, `${seconds * 1000}`);
  return {
    device,
    facts,
    detach: () => endBdus(index),
    resize: () =>
      Promise.reject(
        new Error(`cannot resize ${device.path}: BDUS devices keep their size; use ublk or nbd`),
      ),
  };
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
