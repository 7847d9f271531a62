// SPDX-License-Identifier: MIT
// A queue of a BDUS device with a ring, on its reactor: takes items from memory that is shared with the
// kernel, has the export answer them, and hands any number of answers over in one system call. What was
// read is taken by the kernel from where the device has it. This is a hot path.

import type { OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import {
  clears,
  Command,
  Piece,
  type Request,
  type RequestSink,
  Status,
} from "../block/request.ts";
import type { BdusQueueOptions } from "../control/options.ts";
import type { Guard } from "../policy/guard.ts";
import type { DeviceContext } from "../reactor/device_context.ts";
import { InflightRequest } from "../reactor/inflight_request.ts";
import {
  type PhaseHost,
  type SourcePhase,
  type SourceSurroundings,
  Turn,
} from "../reactor/phase.ts";
import { BdusItem } from "./bdus_abi.ts";
import { beginIoctl, commandOfItem, flagsOfItem } from "./bdus_items.ts";
import { BdusRing } from "./bdus_ring.ts";
import { RingState } from "./bdus_ring_abi.ts";
import { placeAnswer, reserveTags, type TagRequest } from "./tag_request.ts";

/** See the top of this file. */
export class BdusRingQueue implements SourcePhase, RequestSink {
  readonly exportName: string;
  /** The file of the queue is readable when there is something to do. */
  readonly eventFd: number;
  readonly peer: string;
  readonly wantsInput = true;
  readonly wantsOutput = false;
  readonly holdsMemory = false;
  guard: Guard | null = null;

  readonly #context: DeviceContext;
  readonly #host: PhaseHost;
  #export: OpenExport;
  readonly #ring: BdusRing;
  readonly #ioctlGives: number;
  #requests: TagRequest[] = [];
  /** Requests whose answers the kernel has not taken yet, and which lie in lent memory. */
  readonly #lending: TagRequest[] = [];
  /** Answers lie where a device has its data, which it may use for another thing when told to. */
  #showsDevice = false;
  #isInTurn = false;
  #open: (() => OpenExport) | null = null;
  #inflight = 0;
  /** The last thing that this driver does when another one takes over; null before. */
  #farewell: InflightRequest | null = null;
  #saidFarewell = false;
  #broken = false;

  /** Throws BlockError or SystemError. The file stays open then. */
  constructor(options: BdusQueueOptions, { context, host, open }: SourceSurroundings) {
    const { fd, device, queue, depth, requestBytesMax, ioctlGives } = options;
    this.#ioctlGives = ioctlGives;
    this.eventFd = fd;
    this.peer = `bdus:${device}:${queue}`;
    this.#context = context;
    this.#host = host;
    this.#export = open(this.peer);
    this.exportName = this.#export.info.name;
    try {
      this.#ring = new BdusRing(fd, depth);
    } catch (error) {
      this.#export.close();
      throw error;
    }
    try {
      this.#requests = reserveTags(context, depth, requestBytesMax);
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
    if (this.#open !== null && this.#inflight === 0) this.#reopen();
    if (this.#broken) return this.#inflight > 0 ? Turn.Idle : Turn.Closed;
    const ring = this.#ring;
    const state = ring.state;
    if ((state & RingState.Terminate) !== 0) return this.#end(state);
    let worked = false;
    this.#isInTurn = true;
    if (this.#open === null) {
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

  pause(): void {}

  /** The kernel goes on until the device is destroyed there, which ends this. */
  drain(): void {}

  hangUp(): void {
    this.#broken = true;
  }

  reopen(open: () => OpenExport): void {
    this.#open = open;
  }

  close(): void {
    this.#giveBack();
    this.#ring.unmap();
    const [first] = this.#requests.splice(0);
    if (first !== undefined) this.#context.pool.give(first.block);
    this.#export.close();
  }

  completed(request: Request, errno: number): void {
    this.#inflight--;
    this.#context.pending--;
    if (request === this.#farewell) this.#saidFarewellWith(errno);
    else this.#complete(request as TagRequest, errno);
    this.#host.answered(this);
  }

  /** Has the kernel take what is answered. It copies within the call. */
  #enter(): void {
    const status = this.#ring.enter();
    this.#giveBack();
    if (status >= 0) return;
    this.#host.log("error", `${this.peer}: cannot talk to the kernel: errno ${-status}`);
    this.#broken = true;
  }

  #giveBack(): void {
    this.#showsDevice = false;
    const { arena } = this.#context;
    for (let request = this.#lending.pop(); request; request = this.#lending.pop()) {
      for (let i = 0; i < request.answerBlockCount; i++) arena.release(request.answerBlocks[i]!);
      request.answerBlockCount = 0;
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
      if (request.command !== Command.Ioctl) return this.#complete(request, Errno.EOPNOTSUPP);
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
    const verdict = this.guard === null ? 0 : this.guard.check(request);
    if (verdict !== 0) return this.#complete(request, verdict > 0 ? verdict : Errno.EIO);
    // The kernel has to have what was read before the memory that it lies in is used for another thing.
    if (this.#showsDevice && clears(request.command)) this.#enter();
    const status = this.#submit(request);
    if (status !== Status.Pending) this.#complete(request, status);
  }

  #submit(request: InflightRequest): number {
    const context = this.#context;
    if (clears(request.command)) context.settle();
    // Counted before, because a device may finish a request within the call.
    this.#inflight++;
    context.pending++;
    const status = this.#export.submit(request);
    if (status === Status.Pending) return status;
    this.#inflight--;
    context.pending--;
    return status;
  }

  #complete(request: TagRequest, errno: number): void {
    const { tag } = request;
    // The kernel only looks at the payload of an ioctl.
    if (errno !== 0 || request.command !== Command.Read) {
      this.#ring.complete(tag, errno, request.payload);
    } else if (request.pieceCount === 1 && this.#isInPlace(request)) {
      if (request.pieceKind(0) === Piece.StableData) this.#showsDevice = true;
      this.#ring.complete(tag, 0, request.pieceValue(0));
    } else {
      const error = placeAnswer(request);
      if (error !== 0 && request.errorText !== "") {
        this.#host.log("error", `${this.exportName}: ${request.errorText}`);
      }
      this.#ring.complete(tag, error, request.address);
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
    if (this.#inflight > 0) return Turn.Idle;
    if (this.#ring.wantsEnter) this.#enter();
    if ((state & RingState.Flush) === 0 || this.#saidFarewell) return Turn.Closed;
    if (this.#farewell !== null) return Turn.Idle;
    this.#farewell = new InflightRequest();
    this.#farewell.sink = this;
    this.#farewell.command = Command.Flush;
    const status = this.#submit(this.#farewell);
    if (status === Status.Pending) return Turn.Idle;
    this.#saidFarewellWith(status);
    return Turn.Closed;
  }

  #saidFarewellWith(errno: number): void {
    this.#saidFarewell = true;
    if (errno === 0) this.#ring.markAsSuccessful();
    else this.#host.log("error", `${this.exportName}: cannot flush before the end: errno ${errno}`);
  }

  #reopen(): void {
    const open = this.#open!;
    this.#open = null;
    try {
      const opened = open();
      this.#export.close();
      this.#export = opened;
    } catch (error) {
      this.#host.log("error", `${this.exportName}: ${(error as Error).message}`);
    }
  }
}
