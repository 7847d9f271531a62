// SPDX-License-Identifier: MIT
// A queue of a BDUS device with a ring, on its reactor: takes items from memory that is shared with the
// kernel, has the export answer them, and hands any number of answers over in one system call. What was
// read is taken by the kernel from where the device has it. This is a hot path.

import { Errno } from "../block/errno.ts";
import { Command, Piece, type Request, Status } from "../block/request.ts";
import type { BdusQueueOptions } from "../control/options.ts";
import { InflightRequest } from "../reactor/inflight_request.ts";
import { type SourceSurroundings, Turn } from "../reactor/phase.ts";
import { BdusItem } from "./bdus_abi.ts";
import { beginIoctl, commandOfItem, flagsOfItem } from "./bdus_items.ts";
import { BdusRing } from "./bdus_ring.ts";
import { RingState } from "./bdus_ring_abi.ts";
import { KernelQueue } from "./kernel_queue.ts";
import { reserveTags, type TagRequest } from "./tag_request.ts";

/** See the top of this file. */
export class BdusRingQueue extends KernelQueue {
  /** The file of the queue is readable when there is something to do. */
  readonly eventFd: number;
  /** The kernel wakes this thread up only if it has asked whether there is anything, and there was not. */
  override readonly watchedOnlyAsleep = true;
  readonly #ring: BdusRing;
  readonly #ioctlGives: number;
  #requests: TagRequest[] = [];
  /** Requests whose answers the kernel has not taken yet, and which lie in lent memory. */
  readonly #lending: TagRequest[] = [];
  /** Answers lie where a device has its data, which it may use for another thing when told to. */
  #showsDevice = false;
  #isInTurn = false;
  /** The last thing that this driver does when another one takes over; null before. */
  #farewell: InflightRequest | null = null;
  #saidFarewell = false;

  /** Throws BlockError or SystemError. The file stays open then. */
  constructor(options: BdusQueueOptions, surroundings: SourceSurroundings) {
    const { fd, device, queue, depth, requestBytesMax, ioctlGives } = options;
    super(`bdus:${device}:${queue}`, surroundings);
    this.#ioctlGives = ioctlGives;
    this.eventFd = fd;
    try {
      this.#ring = new BdusRing(fd, depth);
    } catch (error) {
      this.opened.close();
      throw error;
    }
    try {
      this.#requests = reserveTags(this.context, depth, requestBytesMax);
    } catch (error) {
      this.close();
      throw error;
    }
    for (const request of this.#requests) {
      request.sink = this;
      this.#ring.setPayload(request.tag, request.address);
    }
  }

  turn(): number {
    this.openAnew();
    if (this.isBroken) return this.inflight > 0 ? Turn.Idle : Turn.Closed;
    const ring = this.#ring;
    const state = ring.state;
    if ((state & RingState.Terminate) !== 0) return this.#end(state);
    let worked = false;
    this.#isInTurn = true;
    if (!this.awaitsExport) {
      for (let tag = ring.take(); tag >= 0; tag = ring.take()) {
        worked = true;
        this.#execute(this.#requests[tag]!);
      }
    }
    if (ring.wantsEnter) {
      worked = true;
      this.#enter();
    }
    this.#isInTurn = false;
    return worked ? Turn.Worked : Turn.Idle;
  }

  close(): void {
    this.#giveBack();
    this.#ring.unmap();
    const [first] = this.#requests.splice(0);
    if (first !== undefined) this.context.pool.give(first.block);
    this.opened.close();
  }

  protected override complete(request: Request, errno: number): void {
    if (request === this.#farewell) this.#saidFarewellWith(errno);
    else this.#answer(request as TagRequest, errno);
  }

  /** The kernel has to have what was read before the memory that it lies in is used for another thing. */
  protected override settle(): void {
    if (this.#showsDevice) this.#enter();
    super.settle();
  }

  /** Has the kernel take what is answered. It copies within the call. */
  #enter(): void {
    const status = this.#ring.enter();
    this.#giveBack();
    if (status >= 0) return;
    this.host.log("error", `${this.peer}: cannot talk to the kernel: errno ${-status}`);
    this.isBroken = true;
  }

  #giveBack(): void {
    this.#showsDevice = false;
    for (let request = this.#lending.pop(); request; request = this.#lending.pop()) {
      this.releaseAnswer(request);
    }
  }

  #execute(request: TagRequest): void {
    const ring = this.#ring;
    const { tag } = request;
    const type = ring.type(tag);
    request.clear();
    request.command = commandOfItem(type);
    // Ioctls, and what is unknown, which is -1.
    if (request.command >>> 0 >= Command.Ioctl) {
      if (request.command !== Command.Ioctl) return this.#answer(request, Errno.EOPNOTSUPP);
      beginIoctl(request, ring.length(tag), this.#ioctlGives);
      return this.#begin(request);
    }
    request.flags = flagsOfItem(type);
    const isFlush = type === BdusItem.Flush;
    request.lengthHigh = 0;
    request.lengthLow = isFlush ? 0 : ring.length(tag);
    request.offsetLow = isFlush ? 0 : ring.offsetLow(tag);
    request.offsetHigh = isFlush ? 0 : ring.offsetHigh(tag);
    request.payload = request.command === Command.Write ? request.address : 0;
    this.#begin(request);
  }

  /** Has the export answer what an item asks for, unless the policy is against it. */
  #begin(request: TagRequest): void {
    const status = this.submit(request);
    if (status !== Status.Pending) this.#answer(request, status);
  }

  #answer(request: TagRequest, errno: number): void {
    const { tag } = request;
    // The kernel only looks at the payload of an ioctl.
    if (errno !== 0 || request.command !== Command.Read) {
      this.#ring.complete(tag, errno, request.payload);
    } else if (request.pieceCount === 1 && this.#isInPlace(request)) {
      if (request.pieceKind(0) === Piece.StableData) this.#showsDevice = true;
      this.#ring.complete(tag, 0, request.pieceValue(0));
    } else {
      this.#ring.complete(tag, this.place(request), request.address);
    }
    if (request.answerBlockCount > 0) this.#lending.push(request);
  }

  /** Whether the only piece of the answer to a read is all of it, and stays until the kernel takes it. */
  #isInPlace(request: TagRequest): boolean {
    const kind = request.pieceKind(0);
    if (kind !== Piece.Data && (kind !== Piece.StableData || !this.#isInTurn)) return false;
    return request.pieceAt(0) === 0 && request.pieceLength(0) === request.lengthLow;
  }

  /** The kernel wants this driver to end: what it works on comes first. */
  #end(state: number): number {
    if (this.inflight > 0) return Turn.Idle;
    if (this.#ring.wantsEnter) this.#enter();
    if ((state & RingState.Flush) === 0 || this.#saidFarewell) return Turn.Closed;
    if (this.#farewell !== null) return Turn.Idle;
    this.#farewell = new InflightRequest();
    this.#farewell.sink = this;
    this.#farewell.command = Command.Flush;
    const status = this.submitUnjudged(this.#farewell);
    if (status === Status.Pending) return Turn.Idle;
    this.#saidFarewellWith(status);
    return Turn.Closed;
  }

  #saidFarewellWith(errno: number): void {
    this.#saidFarewell = true;
    if (errno === 0) this.#ring.markAsSuccessful();
    else this.host.log("error", `${this.exportName}: cannot flush before the end: errno ${errno}`);
  }
}
