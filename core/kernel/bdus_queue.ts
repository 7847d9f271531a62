// SPDX-License-Identifier: MIT
// The requests of a BDUS device on its reactor: takes them from the control device, has the export
// answer them, and gives the answers back. Each slot has a buffer in the device's own memory, to and
// from which the kernel copies. This is a hot path.

import { Errno } from "../block/errno.ts";
import { Command, Status } from "../block/request.ts";
import type { BdusQueueOptions } from "../control/options.ts";
import { type SourceSurroundings, Turn } from "../reactor/phase.ts";
import { ioctlWith } from "../../native/ioctl.ts";
import { type Mapping, mapShared, PAGE_BYTES, unmap } from "../../native/mmap.ts";
import { BDUS_IOCTL_GIVES, BdusItem, BdusRequest, Slot, SLOT_BYTES } from "./bdus_abi.ts";
import { beginIoctl, commandOfItem, flagsOfItem } from "./bdus_items.ts";
import { KernelQueue } from "./kernel_queue.ts";
import { reserveTag, type TagRequest } from "./tag_request.ts";

const HIGH = 4294967296;
const WORD = Uint32Array.BYTES_PER_ELEMENT;

/** See the top of this file. */
export class BdusQueue extends KernelQueue {
  /** The session itself is readable when there is an item. */
  readonly eventFd: number;
  readonly #mapping: Mapping;
  readonly #words: Uint32Array;
  readonly #requests: TagRequest[] = [];
  /** Slots that nothing is under way in. */
  readonly #free: number[] = [];
  /** The kernel has told this driver to end. */
  #ended = false;

  /** Throws BlockError or SystemError. The session stays open then, as it was. */
  constructor(options: BdusQueueOptions, surroundings: SourceSurroundings) {
    const { fd, device, depth, requestBytesMax } = options;
    super(`bdus:${device}`, surroundings);
    this.eventFd = fd;
    try {
      const bytes = Math.ceil(depth * SLOT_BYTES / PAGE_BYTES) * PAGE_BYTES;
      this.#mapping = mapShared(fd, 0, bytes);
    } catch (error) {
      this.opened.close();
      throw error;
    }
    this.#words = new Uint32Array(this.#mapping.bytes.buffer);
    try {
      for (let slot = 0; slot < depth; slot++) this.#prepare(slot, requestBytesMax);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  turn(): number {
    this.openAnew();
    if (this.isBroken || this.#ended) return this.inflight > 0 ? Turn.Idle : Turn.Closed;
    if (this.awaitsExport) return Turn.Idle;
    let worked = false;
    for (let slot = this.#free.pop(); slot !== undefined; slot = this.#free.pop()) {
      if (!this.#exchange(BdusRequest.ReceiveItem, slot)) break;
      worked = true;
      this.#serve(slot);
      if (this.isBroken || this.#ended) break;
    }
    return worked ? Turn.Worked : Turn.Idle;
  }

  close(): void {
    unmap(this.#mapping);
    for (const { block } of this.#requests.splice(0)) this.context.pool.give(block);
    this.opened.close();
  }

  protected override complete({ tag }: TagRequest, errno: number): void {
    this.#reply(tag, errno);
    if (this.#exchange(BdusRequest.SendReply, tag)) this.#free.push(tag);
  }

  #prepare(slot: number, bytes: number): void {
    const request = reserveTag(this.context, slot, bytes);
    request.sink = this;
    this.#requests.push(request);
    this.#free.push(slot);
    const words = this.#words;
    const at = slot * SLOT_BYTES / WORD;
    words[at + Slot.Payload / WORD] = request.address;
    words[at + Slot.Payload / WORD + 1] = request.address / HIGH;
    // No reply yet, and payloads go to the address.
    words[at + Slot.Index / WORD] = 0;
  }

  /** Serves what a slot holds, and what comes in its place, until the slot is not free any more. */
  #serve(slot: number): void {
    for (;;) {
      const status = this.#execute(slot);
      if (status === Status.Pending || this.#ended) return;
      this.#reply(slot, status);
      if (!this.#exchange(BdusRequest.SendReplyAndReceiveItem, slot)) return;
    }
  }

  /** Asks the kernel. Whether it went well; a slot without an item, or without use, is free again. */
  #exchange(request: number, slot: number): boolean {
    for (;;) {
      const status = ioctlWith(this.eventFd, request, slot);
      if (status === 0) return true;
      // A reply is taken before a wait is interrupted, and must not be sent again.
      this.#words[slot * SLOT_BYTES / WORD + Slot.Index / WORD]! &= 0xffff0000;
      if (status === -Errno.EINTR) continue;
      this.#free.push(slot);
      if (status === -Errno.EAGAIN) return false;
      this.host.log("error", `${this.peer}: cannot talk to the kernel: errno ${-status}`);
      this.isBroken = true;
      return false;
    }
  }

  /** Does what the item in a slot asks for: Status.Pending, 0 or a positive errno. */
  #execute(slot: number): number {
    const at = slot * SLOT_BYTES;
    const type = this.#mapping.bytes[at + Slot.Type]!;
    if (type === BdusItem.DeviceAvailable) return 0;
    if (type === BdusItem.Terminate) {
      this.#ended = true;
      return 0;
    }
    const request = this.#requests[slot]!;
    request.clear();
    request.command = commandOfItem(type);
    request.flags = flagsOfItem(type);
    const words = this.#words;
    // Ioctls, and what is unknown, which is -1.
    if (request.command >>> 0 >= Command.Ioctl) {
      if (request.command !== Command.Ioctl) return Errno.EOPNOTSUPP;
      beginIoctl(request, words[(at + Slot.Value) / WORD]!, BDUS_IOCTL_GIVES);
      return this.submit(request);
    }
    const isFlush = request.command === Command.Flush;
    request.lengthHigh = 0;
    request.lengthLow = isFlush ? 0 : words[(at + Slot.Value) / WORD]!;
    request.offsetLow = isFlush ? 0 : words[(at + Slot.Offset) / WORD]!;
    request.offsetHigh = isFlush ? 0 : words[(at + Slot.Offset) / WORD + 1]!;
    request.payload = request.command === Command.Write ? request.address : 0;
    return this.submit(request);
  }

  /** Puts the answer to what a slot has asked for into it. */
  #reply(slot: number, errno: number): void {
    const request = this.#requests[slot]!;
    const at = slot * SLOT_BYTES;
    const type = this.#mapping.bytes[at + Slot.Type]!;
    if (type === BdusItem.FlushAndTerminate) return this.#retire(slot, errno);
    const error = errno === 0 && type === BdusItem.Read ? this.place(request) : errno;
    this.releaseAnswer(request);
    this.#words[(at + Slot.Value) / WORD] = error;
  }

  /** Another process takes the device over, and everything is flushed, or not. */
  #retire(slot: number, errno: number): void {
    this.#ended = true;
    if (errno === 0) ioctlWith(this.eventFd, BdusRequest.MarkAsSuccessful, 0);
    else this.host.log("error", `${this.exportName}: cannot flush before the end: errno ${errno}`);
    this.#words[slot * SLOT_BYTES / WORD + Slot.Index / WORD]! &= 0xffff0000;
  }
}
