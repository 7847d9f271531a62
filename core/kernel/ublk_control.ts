// SPDX-License-Identifier: MIT
// /dev/ublk-control: devices are made, started and ended by commands on an io_uring. Some of them take
// as long as a request to the device, so none is waited for in the kernel.

import { Errno } from "../block/errno.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import { IoUring } from "../../native/io_uring.ts";
import { loadModule } from "./modules.ts";
import { hasSysAdmin } from "./rights.ts";
import { deviceNode } from "./sysfs.ts";
import {
  decodeDeviceInfo,
  DEVICE_INFO_BYTES,
  encodeDeviceInfo,
  encodeParameters,
  UblkControl,
  type UblkDeviceInfo,
  type UblkParameters,
} from "./ublk_abi.ts";

const RING_ENTRIES = 4;
/** struct ublksrv_ctrl_cmd in 32-bit words. */
const COMMAND_WORDS = 8;
const NO_QUEUE = 0xffff;
const HIGH = 4294967296;
const FEATURES_BYTES = 8;
const POLL_MS = 1;
const EINTR = 4;
const EAGAIN = 11;

/** See the top of this file. For `using`. */
export class UblkControlDevice implements Disposable {
  readonly #fd: number;
  readonly #ring: IoUring;
  /** Whether every device is named by its path, which its owner has to be allowed to use. */
  readonly #namesAll = !hasSysAdmin();
  /** Keeps what the kernel reads or fills in from being collected. */
  #buffer: Uint8Array | null = null;
  #nextTag = 1;

  private constructor(fd: number, ring: IoUring) {
    this.#fd = fd;
    this.#ring = ring;
  }

  /** Loads the driver and opens it. Rejects with what is missing. */
  static async open(): Promise<UblkControlDevice> {
    await loadModule("ublk_drv");
    const path = deviceNode("class/misc/ublk-control");
    const ring = new IoUring(RING_ENTRIES, true);
    try {
      return new UblkControlDevice(openFile(path, Open.ReadWrite), ring);
    } catch (error) {
      ring.close();
      throw error;
    }
  }

  /** Whether devices made here are those of a user without rights. */
  get isUnprivileged(): boolean {
    return this.#namesAll;
  }

  /** What this driver can do: UblkFlag. */
  async features(): Promise<number> {
    const bytes = new Uint8Array(new ArrayBuffer(FEATURES_BYTES));
    await this.#command("ask ublk for its features", UblkControl.GetFeatures, -1, bytes);
    return Number(new DataView(bytes.buffer).getBigUint64(0, true) & 0xffffffffn);
  }

  /** Makes a device. What comes back says what it has become. */
  async add(info: UblkDeviceInfo): Promise<UblkDeviceInfo> {
    const bytes = encodeDeviceInfo(info);
    const any = info.device === 0xffffffff;
    const action = any ? "make a ublk device" : `make /dev/ublkb${info.device}`;
    await this.#command(action, UblkControl.AddDev, info.device, bytes);
    return decodeDeviceInfo(bytes);
  }

  /** What there is to know about a device. */
  async info(device: number): Promise<UblkDeviceInfo> {
    const bytes = new Uint8Array(new ArrayBuffer(DEVICE_INFO_BYTES));
    const action = `ask about /dev/ublkb${device}`;
    await this.#command(action, UblkControl.GetDevInfo2, device, bytes, 0n, true);
    return decodeDeviceInfo(bytes);
  }

  async setParameters(device: number, parameters: UblkParameters): Promise<void> {
    const bytes = encodeParameters(parameters);
    await this.#command(`set /dev/ublkb${device} up`, UblkControl.SetParams, device, bytes);
  }

  /** Makes the block device appear. Its queues are served already. */
  async start(device: number): Promise<void> {
    const action = `start /dev/ublkb${device}`;
    await this.#command(action, UblkControl.StartDev, device, null, BigInt(Deno.pid));
  }

  /** Takes the block device away; its requests fail and its queues end. */
  async stop(device: number): Promise<void> {
    await this.#command(`stop /dev/ublkb${device}`, UblkControl.StopDev, device, null);
  }

  /** Removes a device; waits until nobody has /dev/ublkcN open. */
  async remove(device: number): Promise<void> {
    await this.#command(`remove /dev/ublkb${device}`, UblkControl.DelDev, device, null);
  }

  /** Removes a device without waiting for those who have /dev/ublkcN open. */
  async removeSoon(device: number): Promise<void> {
    await this.#command(`remove /dev/ublkb${device}`, UblkControl.DelDevAsync, device, null);
  }

  /** Begins to take over a device whose process has died. False: the driver has not let go of that yet. */
  async startRecovery(device: number): Promise<boolean> {
    const action = `recover /dev/ublkb${device}`;
    try {
      await this.#command(action, UblkControl.StartUserRecovery, device, null);
      return true;
    } catch (error) {
      if (error instanceof SystemError && error.errno === Errno.EBUSY) return false;
      throw error;
    }
  }

  /** Ends taking it over: its queues are served again. */
  async endRecovery(device: number): Promise<void> {
    const action = `recover /dev/ublkb${device}`;
    await this.#command(action, UblkControl.EndUserRecovery, device, null, BigInt(Deno.pid));
  }

  /** Another size in bytes for a device in use. */
  async resize(device: number, size: bigint): Promise<void> {
    const action = `resize /dev/ublkb${device}`;
    await this.#command(action, UblkControl.UpdateSize, device, null, size / 512n);
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#fd);
    this.#ring.close();
  }

  async #command(
    action: string,
    operation: number,
    device: number,
    payload: Uint8Array<ArrayBuffer> | null,
    data = 0n,
    isNamed = this.#namesAll || payload === null,
  ): Promise<void> {
    // The path goes before the payload. Devices of root are not looked up by it, so that it may only go
    // where nothing follows it.
    const path = isNamed && device >= 0 && operation !== UblkControl.AddDev
      ? new TextEncoder().encode(`/dev/ublkc${device}`)
      : new Uint8Array(0);
    const buffer = new Uint8Array(path.length + (payload?.length ?? 0));
    buffer.set(path);
    buffer.set(payload ?? [], path.length);
    const words = new Uint32Array(COMMAND_WORDS);
    words[0] = device;
    words[1] = NO_QUEUE | buffer.length << 16;
    const address = buffer.length === 0 ? 0 : addressOf(buffer);
    words[2] = address;
    words[3] = address / HIGH;
    words[4] = Number(data & 0xffffffffn);
    words[5] = Number(data >> 32n);
    words[6] = path.length;
    const tag = this.#nextTag++;
    this.#ring.wideCommand(tag, this.#fd, operation, words);
    this.#buffer = buffer;
    const result = await this.#result(action);
    this.#buffer = null;
    if (result < 0) throw new SystemError(action, -result);
    payload?.set(buffer.subarray(path.length));
  }

  async #result(action: string): Promise<number> {
    for (;;) {
      const status = this.#ring.exchange();
      if (status < 0 && status !== -EINTR && status !== -EAGAIN) {
        throw new SystemError(action, -status);
      }
      if (this.#ring.collect() > 0) {
        const result = this.#ring.result(0);
        this.#ring.consume(1);
        return result;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}
