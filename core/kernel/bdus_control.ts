// SPDX-License-Identifier: MIT
// Sessions of /dev/bdus-control: making devices and taking them over, with rings where the module has
// them and otherwise as BDUS 0.1 does.

import { Errno, errnoName } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import { ioctl, ioctlWith } from "../../native/ioctl.ts";
import {
  BDUS_DEPTH_MAX,
  BDUS_FEATURE_LINUX_IOCTLS,
  BDUS_FEATURE_POLL,
  BDUS_IOCTL_BYTES,
  BDUS_IOCTL_GIVES,
  BdusRequest,
  decodeConfig,
  encodeConfig,
  encodeDevice,
  featuresOf,
  IOCTL_GIVES,
} from "./bdus_abi.ts";
import {
  BDUS_FEATURE_RING,
  type BdusDescription,
  decodeRingDevice,
  encodeResize,
  encodeRingDevice,
  encodeRingDeviceId,
  RING_DEPTH_MAX,
  RingRequest,
} from "./bdus_ring_abi.ts";
import { type FrontFacts, largestRequest } from "./front.ts";
import { deviceNode } from "./sysfs.ts";

const CONTROL = "class/misc/bdus-control";
/** What the block layer does without a wish. */
const TIMEOUT_SECONDS_DEFAULT = 30;
const QUERY_BYTES = 24;
/** Room for the data of all requests of a device. */
const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
/** What Linux sends at least: a page. */
const REQUEST_BYTES_MIN = 4096;

/** A device that a session drives. */
export interface DrivenDevice {
  id: number;
  queues: number;
  depth: number;
  /** Room that each request needs. */
  requestBytesMax: number;
  rings: boolean;
  /** Bit of the number of an ioctl by which a client gives its argument. */
  ioctlGives: number;
}

/** How long a request of a device may take: it has to outlast the way to the next driver. */
export function requestSeconds({ timeoutSeconds, recoverySeconds }: FrontFacts): number {
  return Math.max(timeoutSeconds, recoverySeconds, TIMEOUT_SECONDS_DEFAULT);
}

/** See the top of this file. */
export class BdusSession implements Disposable {
  readonly #fd: number;
  readonly #hasRings: boolean;
  readonly #hasLinuxIoctls: boolean;
  #isOpen = true;

  private constructor(fd: number, features: number) {
    this.#fd = fd;
    this.#hasRings = (features & BDUS_FEATURE_RING) !== 0;
    this.#hasLinuxIoctls = (features & BDUS_FEATURE_LINUX_IOCTLS) !== 0;
  }

  /** Throws Error. */
  static open(): BdusSession {
    let fd: number;
    try {
      fd = openFile(deviceNode(CONTROL), Open.ReadWrite);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.errno !== Errno.EPERM && error.errno !== Errno.EACCES) throw error;
      throw new Error("cannot set BDUS devices up: only root may (CAP_SYS_ADMIN)");
    }
    setNonBlocking(fd);
    const query = new Uint8Array(QUERY_BYTES);
    query[0] = query.length;
    const features = ioctl(fd, BdusRequest.Query, query) === 0 ? featuresOf(query) : 0;
    if ((features & BDUS_FEATURE_POLL) !== 0) return new BdusSession(fd, features);
    closeDescriptor(fd);
    throw new Error(
      "cannot use the module that answers for /dev/bdus-control: it cannot be polled; " +
        'unload it; "sandblock kmod install" installs one that can',
    );
  }

  /** Requests that a device may have under way. */
  get depthMax(): number {
    return this.#hasRings ? RING_DEPTH_MAX : BDUS_DEPTH_MAX;
  }

  /** Makes a device. Throws Error. */
  create(info: ExportInfo, facts: FrontFacts): DrivenDevice {
    const can = capabilities(info, facts);
    const argument = this.#hasRings
      ? encodeRingDevice({
        ...can,
        preferredBytes: preferredBytes(info, facts),
        timeoutMs: requestSeconds(facts) * 1000,
        queues: facts.queues,
        readOnly: facts.readOnly,
        linuxIoctls: this.#hasLinuxIoctls,
        label: info.name,
      })
      : encodeConfig({ ...can, read: true });
    const request = this.#hasRings ? RingRequest.Create : BdusRequest.CreateDevice;
    const status = ioctl(this.#fd, request, argument);
    if (status < 0) {
      throw new Error(`cannot create a BDUS device: the module says ${errnoName(-status)}`);
    }
    return driven(argument, this.#hasRings);
  }

  /** Becomes the driver of a device that is there, whichever interface it was made with. Throws Error. */
  takeOver(device: number): DrivenDevice {
    let argument = encodeRingDeviceId(device);
    let rings = this.#hasRings;
    let status = rings ? ioctl(this.#fd, RingRequest.Attach, argument) : -Errno.EOPNOTSUPP;
    if (status === -Errno.EOPNOTSUPP) {
      rings = false;
      argument = encodeDevice(device);
      status = ioctl(this.#fd, BdusRequest.AttachToDevice, argument);
    }
    if (status === 0) return driven(argument, rings);
    const reasons: Record<number, string> = {
      [Errno.ENODEV]: "it is gone",
      [Errno.EINVAL]: "there was never one of this number",
      [Errno.EBUSY]: "it is not ready yet",
      [Errno.EINPROGRESS]: "another process is taking it over",
      [Errno.EOPNOTSUPP]: "it was made with rings, which the module does not have any more",
    };
    const reason = reasons[-status] ?? `the module says ${errnoName(-status)}`;
    throw new Error(`cannot recover /dev/bdus-${device}: ${reason}`);
  }

  /** The file through which a queue of the device is served; it keeps the device. Throws SystemError. */
  queueFile(device: DrivenDevice, queue: number): number {
    if (!device.rings) {
      this.#isOpen = false;
      return this.#fd;
    }
    const fd = ioctlWith(this.#fd, RingRequest.GetQueue, queue);
    if (fd < 0) throw new SystemError(`open queue ${queue} of /dev/bdus-${device.id}`, -fd);
    return fd;
  }

  /** Gives a device with rings another size. Throws SystemError. */
  resize(device: number, size: bigint): void {
    const status = ioctl(this.#fd, RingRequest.Resize, encodeResize(device, size));
    if (status < 0) throw new SystemError(`resize /dev/bdus-${device}`, -status);
  }

  /** Has the module destroy a device. Throws SystemError. */
  destroy(device: number): void {
    const id = new BigUint64Array([BigInt(device)]);
    const status = ioctl(this.#fd, BdusRequest.TriggerDestruction, new Uint8Array(id.buffer));
    if (status < 0) throw new SystemError(`destroy /dev/bdus-${device}`, -status);
  }

  /** What the module says about a device; null where it does not say or does not have it. */
  describe(device: number): BdusDescription | null {
    const argument = encodeRingDeviceId(device);
    if (!this.#hasRings || ioctl(this.#fd, RingRequest.List, argument) < 0) return null;
    const description = decodeRingDevice(argument);
    return description.id === device ? description : null;
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeDescriptor(this.#fd);
    this.#isOpen = false;
  }
}

function driven(argument: Uint8Array<ArrayBuffer>, rings: boolean): DrivenDevice {
  if (rings) {
    const device = decodeRingDevice(argument);
    const { id, queues, depth } = device;
    const ioctlGives = device.linuxIoctls ? IOCTL_GIVES : BDUS_IOCTL_GIVES;
    return { id, queues, depth, requestBytesMax: roomOf(device), rings, ioctlGives };
  }
  const device = decodeConfig(argument);
  const { id, depth } = device;
  const requestBytesMax = roomOf(device);
  return { id, queues: 1, depth, requestBytesMax, rings, ioctlGives: BDUS_IOCTL_GIVES };
}

/** Bytes for what comes with a request, or goes. */
function roomOf({ requestBytesMax, ioctl }: { requestBytesMax: number; ioctl: boolean }): number {
  return ioctl ? Math.max(requestBytesMax, BDUS_IOCTL_BYTES) : requestBytesMax;
}

function capabilities(info: ExportInfo, facts: FrontFacts) {
  const { can, rotational } = info;
  const { size, blockSize, readOnly, queues, depth, recoverySeconds } = facts;
  const flush = can.flush !== Support.None;
  return {
    size,
    blockSize,
    requestBytesMax: requestBytes(info, depth * queues),
    depth,
    write: !readOnly,
    writeZeroes: !readOnly && can.zero !== Support.None,
    fua: !readOnly && flush && can.fua !== Support.None,
    flush,
    discard: !readOnly && can.trim !== Support.None,
    secureErase: !readOnly && can.secureErase !== Support.None,
    ioctl: can.ioctl !== Support.None,
    rotational,
    recoverable: recoverySeconds > 0,
  };
}

/** Largest request with data; devices with many requests under way have smaller ones. */
function requestBytes(info: ExportInfo, count: number): number {
  let bytes = largestRequest(info);
  while (bytes * count > PAYLOAD_BYTES_MAX && bytes > REQUEST_BYTES_MIN) bytes /= 2;
  return bytes;
}

/** The best size of a request, a multiple of the block size. */
function preferredBytes(info: ExportInfo, { blockSize }: FrontFacts): number {
  const preferred = Math.min(info.blockSize.preferred, largestRequest(info));
  return preferred - preferred % blockSize;
}
