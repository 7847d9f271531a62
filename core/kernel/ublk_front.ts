// SPDX-License-Identifier: MIT
// ublk as a front end: the driver is told what the device is like, a reactor serves its queue, and the
// block device appears. It can be taken over by another process when this one dies.

import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import type { ZoneInfo } from "../block/zones.ts";
import type { Server } from "../control/options.ts";
import { closeDescriptor, copyDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import {
  type AttachOptions,
  checkSuccession,
  ENDS_WITH_SERVER,
  type FrontEnd,
  type FrontFacts,
  largestRequest,
  logicalBlockSize,
  sizeInBlocks,
} from "./front.ts";
import { kernelDevice } from "./names.ts";
import { deviceNode, readSysfs } from "./sysfs.ts";
import { type UblkDeviceInfo, UblkFlag, type UblkParameters, UblkState } from "./ublk_abi.ts";
import { UblkControlDevice } from "./ublk_control.ts";

const ANY_DEVICE = 0xffffffff;
/** What zones take: data of an append can only be copied by the server. */
const ZONE_FLAGS = UblkFlag.Zoned | UblkFlag.UserCopy;
const NO_ZONES = "cannot attach a zoned device: ublk of this kernel knows no zones";
const SECTOR_BYTES = 512;
/** Linux appends whole pages. */
const APPEND_BYTES_MIN = 4096;
/** The driver needs a moment to notice that a process has died. */
const QUIESCE_POLL_MS = 100;
const QUIESCE_MS_MAX = 20_000;
/** How long udev may take to give somebody a device. */
const GIFT_POLL_MS = 20;
const GIFT_MS_MAX = 5000;

/** Makes a ublk device of an export of `server`. Rejects with one sentence; nothing is left then. */
export async function attachUblk(server: Server, options: AttachOptions): Promise<FrontEnd> {
  const control = await openControl();
  try {
    const features = await control.features();
    if ((features & UblkFlag.IoctlEncode) === 0) {
      throw new Error(
        "cannot use ublk of this kernel: it is too old; Linux 6.4 or later is needed",
      );
    }
    const info = await server.describe(options.exportName);
    if (info.zones !== undefined) checkZones(info.zones, features, control.isUnprivileged);
    const facts = factsOf(info, options);
    return options.predecessor === null
      ? await make(control, server, info, facts, options, features)
      : await recover(control, server, info, facts, options);
  } catch (error) {
    control[Symbol.dispose]();
    throw error;
  }
}

/** Ends a device, whoever serves it. Rejects with SystemError where there is none. */
export async function endUblk(device: number): Promise<void> {
  using control = await openControl();
  await end(control, device);
}

/** Whether the driver has a device, which may not have become a block device yet. */
export function hasUblk(device: number): boolean {
  return readSysfs(`class/ublk-char/ublkc${device}/dev`) !== null;
}

/** Opens the control device. Rejects with what is missing. */
export async function openControl(): Promise<UblkControlDevice> {
  try {
    return await UblkControlDevice.open();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === Errno.ENOSYS || error.errno === Errno.EPERM) {
      throw new Error(
        "cannot use ublk: io_uring is switched off; see /proc/sys/kernel/io_uring_disabled",
      );
    }
    if (error.errno !== Errno.EACCES) throw error;
    throw new Error(
      "cannot set ublk devices up: this user may not open /dev/ublk-control; become root, or have " +
        "a rule of udev allow it (docs/kernel.md)",
    );
  }
}

function factsOf(info: ExportInfo, options: AttachOptions): FrontFacts {
  const { predecessor, depth, recoverySeconds } = options;
  const blockSize = logicalBlockSize(info);
  const facts: FrontFacts = {
    size: sizeInBlocks(info, blockSize),
    blockSize,
    readOnly: info.readOnly || info.can.write === Support.None,
    connections: 1,
    queues: options.queues,
    depth,
    timeoutSeconds: 0,
    recoverySeconds,
    identifier: "",
  };
  if (predecessor !== null) {
    checkSuccession(facts, predecessor);
    facts.size = BigInt(predecessor.size);
    facts.blockSize = predecessor.blockSize;
  }
  return facts;
}

async function make(
  control: UblkControlDevice,
  server: Server,
  info: ExportInfo,
  facts: FrontFacts,
  { index, exportName, made }: AttachOptions,
  features: number,
): Promise<FrontEnd> {
  // Nobody can take over what belongs to a user without rights.
  if (control.isUnprivileged) facts.recoverySeconds = 0;
  const requestBytesMax = largestRequest(info);
  const added = await add(control, index, {
    queues: facts.queues,
    depth: facts.depth,
    state: UblkState.Dead,
    requestBytesMax,
    device: index ?? ANY_DEVICE,
    pid: 0,
    flags: wantedFlags(facts, info.zones !== undefined, control.isUnprivileged) & features,
  });
  const { device } = added;
  facts.depth = added.depth;
  facts.queues = added.queues;
  try {
    made(kernelDevice("ublk", device), facts);
    if (control.isUnprivileged) await untilGiven(device);
    await control.setParameters(device, parametersOf(info, facts, requestBytesMax));
    await serveQueues(server, added, exportName);
    await control.start(device);
    return frontOf(control, device, facts, added.flags);
  } catch (error) {
    await undo(control, device);
    throw error;
  }
}

async function add(
  control: UblkControlDevice,
  index: number | null,
  info: Parameters<UblkControlDevice["add"]>[0],
) {
  try {
    return await control.add(info);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // Feature bits say what the driver knows, not how the rest of the kernel was built.
    if ((info.flags & UblkFlag.Zoned) !== 0 && error.errno === Errno.EINVAL) {
      throw new Error(`${NO_ZONES}: it was built without CONFIG_BLK_DEV_ZONED`);
    }
    if (index === null) throw error;
    if (error.errno !== Errno.EEXIST && error.errno !== Errno.ENOSPC) throw error;
    throw new Error(
      `cannot attach to /dev/ublkb${index}: it is in use; leave --device out for a free one`,
    );
  }
}

async function recover(
  control: UblkControlDevice,
  server: Server,
  info: ExportInfo,
  facts: FrontFacts,
  { index, exportName, beforeTakeOver }: AttachOptions,
): Promise<FrontEnd> {
  const device = index!;
  checkSameZones(device, info);
  await beforeTakeOver();
  const made = await startRecovery(control, device);
  facts.depth = made.depth;
  facts.queues = made.queues;
  await serveQueues(server, made, exportName);
  await control.endRecovery(device);
  return frontOf(control, device, facts, made.flags);
}

/** A write to a zone must not be made twice: what was under way when a process died fails there. */
function wantedFlags(
  { recoverySeconds }: FrontFacts,
  isZoned: boolean,
  isUnprivileged: boolean,
): number {
  const recovery = UblkFlag.UserRecovery | (isZoned ? 0 : UblkFlag.UserRecoveryReissue);
  return UblkFlag.IoctlEncode | (isZoned ? ZONE_FLAGS : UblkFlag.UpdateSize) |
    (recoverySeconds > 0 ? recovery : 0) | (isUnprivileged ? UblkFlag.UnprivilegedDev : 0);
}

/** Throws Error where the driver does not take zones. */
function checkZones(zones: ZoneInfo, features: number, isUnprivileged: boolean): void {
  if ((features & ZONE_FLAGS) !== ZONE_FLAGS) {
    throw new Error(`${NO_ZONES}: it is too old; Linux 6.6 or later has them`);
  }
  if (isUnprivileged) {
    throw new Error(
      "cannot attach a zoned device: ublk lets only root have them (CAP_SYS_ADMIN)",
    );
  }
  if (zones.maxAppend < APPEND_BYTES_MIN) {
    throw new Error(`cannot attach a zoned device: it appends at most ${zones.maxAppend} bytes`);
  }
}

/** Throws Error where a device has other zones than what shall serve it now. */
function checkSameZones(index: number, { zones }: ExportInfo): void {
  const { path, name } = kernelDevice("ublk", index);
  const isZoned = (readSysfs(`block/${name}/queue/zoned`) ?? "none") !== "none";
  const size = isZoned ? Number(readSysfs(`block/${name}/queue/chunk_sectors`)) * SECTOR_BYTES : 0;
  if (size === (zones?.size ?? 0)) return;
  const words = (bytes: number) => bytes === 0 ? "no zones" : `zones of ${bytes} bytes`;
  throw new Error(
    `cannot recover ${path}: it has ${words(size)}, and what shall serve it now ` +
      words(zones?.size ?? 0),
  );
}

/** Has each queue of a device served. */
async function serveQueues(
  server: Server,
  { device, queues, depth, requestBytesMax, flags }: UblkDeviceInfo,
  exportName: string,
): Promise<void> {
  const zoned = (flags & UblkFlag.Zoned) !== 0;
  const shared = openFile(deviceNode(`class/ublk-char/ublkc${device}`), Open.ReadWrite);
  try {
    for (let queue = 0; queue < queues; queue++) {
      const fd = copyDescriptor(shared);
      try {
        await server.serveUblk({ fd, device, queue, depth, requestBytesMax, zoned, exportName });
      } catch (error) {
        closeDescriptor(fd);
        throw error;
      }
    }
  } finally {
    closeDescriptor(shared);
  }
}

/** Waits until udev has given this user the node of a device that was made just now. */
async function untilGiven(device: number): Promise<void> {
  const path = `/dev/ublkc${device}`;
  for (let waitedMs = 0;; waitedMs += GIFT_POLL_MS) {
    try {
      return closeDescriptor(openFile(path, Open.ReadWrite));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.errno !== Errno.EACCES && error.errno !== Errno.ENOENT) throw error;
    }
    if (waitedMs >= GIFT_MS_MAX) {
      throw new Error(
        `cannot use "${path}": this user may not; a rule of udev has to give it to those who make ` +
          "devices (docs/kernel.md)",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, GIFT_POLL_MS));
  }
}

/**
 * Begins to take a device over, as soon as the driver has noticed that its process is gone, and has closed what
 * that had open, which can be later.
 */
async function startRecovery(control: UblkControlDevice, device: number) {
  for (let waitedMs = 0;; waitedMs += QUIESCE_POLL_MS) {
    const info = await control.info(device);
    if (info.state === UblkState.Quiesced && await control.startRecovery(device)) return info;
    if (waitedMs >= QUIESCE_MS_MAX) {
      throw new Error(`cannot recover /dev/ublkb${device}: process ${info.pid} serves it`);
    }
    await new Promise((resolve) => setTimeout(resolve, QUIESCE_POLL_MS));
  }
}

function frontOf(
  control: UblkControlDevice,
  index: number,
  facts: FrontFacts,
  flags: number,
): FrontEnd {
  const device = kernelDevice("ublk", index);
  deviceNode(`block/${device.name}`);
  return {
    device,
    facts,
    ...ENDS_WITH_SERVER,
    detach: () => end(control, index),
    keepsSize: keepsSize(flags),
    resize: (size) => control.resize(index, size),
  };
}

function keepsSize(flags: number): string | null {
  if ((flags & UblkFlag.Zoned) !== 0) return "a zoned device keeps its size";
  if ((flags & UblkFlag.UpdateSize) !== 0) return null;
  return "ublk of this kernel cannot; attach it through nbd";
}

/** Takes the block device away, and then what it was made of. */
async function end(control: UblkControlDevice, device: number): Promise<void> {
  await control.stop(device);
  try {
    await control.remove(device);
  } catch (error) {
    // Whoever else wants it to end has been faster.
    if (!(error instanceof SystemError) || !isGone(error.errno)) throw error;
  }
}

function isGone(errno: number): boolean {
  return errno === Errno.ENODEV || errno === Errno.EINVAL || errno === Errno.ENOENT;
}

/** Takes back a device that could not be made. Its queue may be open as long as the server runs. */
async function undo(control: UblkControlDevice, device: number): Promise<void> {
  try {
    await control.stop(device);
    await control.removeSoon(device);
  } catch {
    // What went wrong at first is what is told.
  }
}

function parametersOf(
  info: ExportInfo,
  { size, blockSize, readOnly }: FrontFacts,
  requestBytesMax: number,
): UblkParameters {
  const { can, zones } = info;
  return {
    size,
    blockSize,
    preferredBytes: Math.max(blockSize, Math.min(info.blockSize.preferred, requestBytesMax)),
    requestBytesMax,
    readOnly,
    rotational: info.rotational,
    flush: can.flush !== Support.None,
    fua: can.fua !== Support.None && can.flush !== Support.None,
    // Zones are reset instead, and zeroes are written as data.
    discard: !readOnly && zones === undefined && can.trim !== Support.None,
    writeZeroes: !readOnly && zones === undefined && can.zero !== Support.None,
    zones: zones === undefined ? null : zonesFor(zones, size, blockSize, requestBytesMax),
  };
}

/** Limits of zones that the driver takes: in whole blocks, and none beyond what there is. */
function zonesFor(
  { size, maxOpen, maxActive, maxAppend }: ZoneInfo,
  bytes: bigint,
  blockSize: number,
  requestBytesMax: number,
): NonNullable<UblkParameters["zones"]> {
  const count = Number(bytes) / size;
  const most = Math.min(maxAppend, requestBytesMax);
  return {
    size,
    maxOpen: Math.min(maxOpen, count),
    maxActive: Math.min(maxActive, count),
    maxAppend: most - most % blockSize,
  };
}
