// SPDX-License-Identifier: MIT
// A queue of a ublk device on its reactor: takes requests from the kernel, has the export answer
// them, and hands the results back. Each tag of the queue has a buffer in the device's own memory, so
// that the kernel's one copy is the only one where the device allows that. This is a hot path.

import type { OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { Command, type Request, RequestFlag, type RequestSink, Status } from "../block/request.ts";
import type { UblkQueueOptions } from "../control/options.ts";
import type { Guard } from "../policy/guard.ts";
import type { DeviceContext } from "../reactor/device_context.ts";
import {
  type PhaseHost,
  type SourcePhase,
  type SourceSurroundings,
  Turn,
} from "../reactor/phase.ts";
import { clearEvent, closeDescriptor, createEvent, signalEvent } from "../../native/descriptor.ts";
import { IoUring } from "../../native/io_uring.ts";
import { mapForReading, type Mapping, PAGE_BYTES, unmap } from "../../native/mmap.ts";
import { placeAnswer, reserveTag, type TagRequest } from "./tag_request.ts";
import {
  DESCRIPTOR_WORDS,
  OPERATION_MASK,
  QUEUE_DEPTH_MAX,
  UblkIo,
  UblkOperation,
  UblkRequestFlag,
} from "./ublk_abi.ts";

const HIGH = 4294967296;
/** What a tag completes with when the device ends. */
const ABORTED = -Errno.ENODEV;

/** See the top of this file. */
export class UblkQueue implements SourcePhase, RequestSink {
  readonly exportName: string;
  readonly eventFd: number;
  readonly peer: string;
  readonly wantsInput = true;
  readonly wantsOutput = false;
  readonly holdsMemory = false;
  guard: Guard | null = null;

  protected readonly context: DeviceContext;
  protected readonly host: PhaseHost;
  protected opened: OpenExport;
  /** How to open the export anew; null unless that is to be done. */
  #open: (() => OpenExport) | null = null;
  /** Tags whose requests wait for that. */
  #waiting: number[] = [];
  protected readonly queue: number;
  protected readonly fd: number;
  readonly #ring: IoUring;
  readonly #mapping: Mapping;
  protected readonly descriptors: Uint32Array;
  readonly #requests: TagRequest[] = [];
  #inflight = 0;
  /** The kernel does not signal the event: turns come anyway. */
  #isMuted = false;
  /** Tags that the kernel will not use again. */
  #ended = 0;
  #broken = false;

  /** Throws BlockError. Nothing is left then but the descriptor, which stays open. */
  constructor(options: UblkQueueOptions, { context, host, open }: SourceSurroundings) {
    const { device, queue, depth, requestBytesMax } = options;
    this.peer = `ublk:${device}`;
    this.context = context;
    this.host = host;
    this.queue = queue;
    const undo: (() => void)[] = [];
    try {
      this.opened = open(this.peer);
      undo.push(() => this.opened.close());
      this.exportName = this.opened.info.name;
      this.fd = options.fd;
      const stride = Math.ceil(QUEUE_DEPTH_MAX * DESCRIPTOR_WORDS * 4 / PAGE_BYTES) * PAGE_BYTES;
      const bytes = Math.ceil(depth * DESCRIPTOR_WORDS * 4 / PAGE_BYTES) * PAGE_BYTES;
      this.#mapping = mapForReading(this.fd, queue * stride, bytes);
      undo.push(() => unmap(this.#mapping));
      this.descriptors = new Uint32Array(this.#mapping.bytes.buffer);
      this.#ring = new IoUring(powerOfTwo(depth));
      undo.push(() => this.#ring.close());
      this.eventFd = createEvent();
      undo.push(() => closeDescriptor(this.eventFd));
      this.#ring.registerEvent(this.eventFd);
      undo.push(() => this.#giveBlocks());
      for (let tag = 0; tag < depth; tag++) {
        this.#requests.push(this.#reserve(tag, requestBytesMax));
      }
      this.#fetchAll();
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  turn(): number {
    const ring = this.#ring;
    if (this.#broken) return this.#inflight > 0 ? Turn.Idle : Turn.Closed;
    if (!this.#isMuted) {
      this.#isMuted = true;
      ring.muteEvent();
    }
    if (ring.queued > 0) this.#handOver();
    const count = ring.collect();
    for (let i = 0; i < count; i++) this.#take(ring.tag(i), ring.result(i));
    ring.consume(count);
    if (this.#open !== null && this.#inflight === 0) this.#reopen();
    if (ring.queued > 0) this.#handOver();
    if (this.#ended === this.#requests.length && this.#inflight === 0) return Turn.Closed;
    return count > 0 ? Turn.Worked : Turn.Idle;
  }

  reopen(open: () => OpenExport): void {
    this.#open = open;
  }

  /** Makes the event stand for what comes from now on. */
  pause(): void {
    clearEvent(this.eventFd);
    this.#isMuted = false;
    this.#ring.unmuteEvent();
    // What came in between would be forgotten otherwise.
    if (this.#ring.ready) signalEvent(this.eventFd);
  }

  /** The kernel goes on until the device is stopped there, which ends this. */
  drain(): void {}

  hangUp(): void {
    this.#broken = true;
  }

  close(): void {
    this.#ring.close();
    unmap(this.#mapping);
    closeDescriptor(this.fd);
    this.#giveBlocks();
    this.opened.close();
  }

  completed(request: Request, errno: number): void {
    this.#inflight--;
    this.context.pending--;
    this.#commit(request as TagRequest, errno);
    this.host.answered(this);
  }

  #reserve(tag: number, bytes: number): TagRequest {
    const request = reserveTag(this.context, tag, bytes);
    request.sink = this;
    return request;
  }

  #giveBlocks(): void {
    for (const { block } of this.#requests.splice(0)) this.context.pool.give(block);
  }

  #fetchAll(): void {
    for (const request of this.#requests) this.#send(UblkIo.Fetch, request, 0);
    const status = this.#ring.exchange();
    if (status < 0) throw new BlockError(-status, "cannot hand requests to ublk");
  }

  /** Fills in what tells the kernel about a tag. */
  #send(operation: number, request: TagRequest, result: number): void {
    const { tag } = request;
    const address = this.addressFor(request);
    const word = this.queue | tag << 16;
    this.#ring.command(tag, this.fd, operation, word, result, address, address / HIGH);
  }

  /** What the kernel is told beside the result: where the data of the tag's next request goes. */
  protected addressFor(request: TagRequest): number {
    return request.address;
  }

  #handOver(): void {
    const status = this.#ring.exchange();
    if (status === 0 || status === -Errno.EAGAIN || status === -Errno.EINTR) return;
    this.host.log("error", `${this.peer}: cannot answer the kernel: errno ${-status}`);
    this.#broken = true;
  }

  #take(tag: number, result: number): void {
    if (result === 0) {
      if (this.#open === null) this.#execute(this.#requests[tag]!);
      else this.#waiting.push(tag);
      return;
    }
    this.#ended++;
    if (result !== ABORTED) {
      this.host.log("error", `${this.peer}: the kernel ends tag ${tag}: errno ${-result}`);
    }
  }

  #reopen(): void {
    const open = this.#open!;
    this.#open = null;
    try {
      const opened = open();
      this.opened.close();
      this.opened = opened;
    } catch (error) {
      this.host.log("error", `${this.exportName}: ${(error as Error).message}`);
    }
    for (const tag of this.#waiting.splice(0)) this.#execute(this.#requests[tag]!);
  }

  #execute(request: TagRequest): void {
    const errno = this.decode(request);
    if (errno !== 0) return this.#commit(request, errno);
    const verdict = this.guard === null ? 0 : this.judge(this.guard, request);
    if (verdict !== 0) return this.#commit(request, verdict > 0 ? verdict : Errno.EIO);
    const context = this.context;
    if (request.command === Command.Trim || request.command === Command.WriteZeroes) {
      context.settle();
    }
    // Counted before, because a device may finish a request within the call.
    this.#inflight++;
    context.pending++;
    const status = this.opened.submit(request);
    if (status === Status.Pending) return;
    this.#inflight--;
    context.pending--;
    this.#commit(request, status);
  }

  /** What the policy says about a request. */
  protected judge(guard: Guard, request: TagRequest): number {
    return guard.check(request);
  }

  /** Reads what the kernel wants. 0, or an errno for what is not known here. */
  protected decode(request: TagRequest): number {
    const words = this.descriptors;
    const at = request.tag * DESCRIPTOR_WORDS;
    const bits = words[at]!;
    const sectors = words[at + 1]!;
    const startLow = words[at + 2]!;
    request.clear();
    request.command = commandOf(bits & OPERATION_MASK);
    request.flags = 0;
    if ((bits & UblkRequestFlag.Fua) !== 0) request.flags |= RequestFlag.Fua;
    if ((bits & UblkRequestFlag.NoUnmap) !== 0 && request.command === Command.WriteZeroes) {
      request.flags |= RequestFlag.NoHole;
    }
    request.offsetLow = startLow << 9 >>> 0;
    request.offsetHigh = words[at + 3]! * 512 + (startLow >>> 23);
    request.lengthLow = sectors << 9 >>> 0;
    request.lengthHigh = sectors >>> 23;
    request.payload = request.command === Command.Write ? request.address : 0;
    return request.command < 0 ? Errno.EOPNOTSUPP : 0;
  }

  /** Puts the answer to a request where the kernel finds it. The result for the kernel, or -errno. */
  protected deliver(request: TagRequest): number {
    if (request.command === Command.Read) return this.#place(request);
    return request.command === Command.Write ? request.lengthLow : 0;
  }

  /** Length of the answer to a read when it is where the kernel takes it from, or -errno. */
  #place(request: TagRequest): number {
    const errno = placeAnswer(request);
    if (errno === 0) return request.lengthLow;
    if (request.errorText !== "") {
      this.host.log("error", `${this.exportName}: ${request.errorText}`);
    }
    return -errno;
  }

  /** Tells the kernel what came of a request and takes the next one of its tag. */
  #commit(request: TagRequest, errno: number): void {
    const result = errno !== 0 ? -errno : this.deliver(request);
    for (let i = 0; i < request.answerBlockCount; i++) {
      this.context.arena.release(request.answerBlocks[i]!);
    }
    request.answerBlockCount = 0;
    if (!this.#broken) this.#send(UblkIo.CommitAndFetch, request, result);
  }
}

function commandOf(operation: number): number {
  if (operation === UblkOperation.Read) return Command.Read;
  if (operation === UblkOperation.Write) return Command.Write;
  if (operation === UblkOperation.Flush) return Command.Flush;
  if (operation === UblkOperation.Discard) return Command.Trim;
  if (operation === UblkOperation.WriteZeroes) return Command.WriteZeroes;
  return -1;
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, count)));
}
