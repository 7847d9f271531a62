// SPDX-License-Identifier: MIT
// A queue of a ublk device on its reactor: takes requests from the kernel, has the export answer
// them, and hands the results back. Each tag of the queue has a buffer in the device's own memory, so
// that the kernel's one copy is the only one where the device allows that. This is a hot path.

import { BlockError, Errno } from "../block/errno.ts";
import { Command, RequestFlag, Status } from "../block/request.ts";
import type { UblkQueueOptions } from "../control/options.ts";
import { type SourceSurroundings, Turn } from "../reactor/phase.ts";
import { clearEvent, closeDescriptor, createEvent, signalEvent } from "../../native/descriptor.ts";
import { IoUring } from "../../native/io_uring.ts";
import { mapForReading, type Mapping, PAGE_BYTES, unmap } from "../../native/mmap.ts";
import { KernelQueue } from "./kernel_queue.ts";
import { reserveTag, type TagRequest } from "./tag_request.ts";
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
export class UblkQueue extends KernelQueue {
  readonly eventFd: number;
  /** Tags whose requests wait for the export to be opened anew. */
  #waiting: number[] = [];
  protected readonly queue: number;
  protected readonly fd: number;
  readonly #ring: IoUring;
  readonly #mapping: Mapping;
  protected readonly descriptors: Uint32Array;
  readonly #requests: TagRequest[] = [];
  /** The kernel does not signal the event: turns come anyway. */
  #isMuted = false;
  /** Tags that the kernel will not use again. */
  #ended = 0;

  /** Throws BlockError. Nothing is left then but the descriptor, which stays open. */
  constructor(options: UblkQueueOptions, surroundings: SourceSurroundings) {
    const { fd, device, queue, depth, requestBytesMax } = options;
    super(`ublk:${device}`, surroundings);
    this.fd = fd;
    this.queue = queue;
    const undo = [() => this.opened.close()];
    try {
      const stride = Math.ceil(QUEUE_DEPTH_MAX * DESCRIPTOR_WORDS * 4 / PAGE_BYTES) * PAGE_BYTES;
      const bytes = Math.ceil(depth * DESCRIPTOR_WORDS * 4 / PAGE_BYTES) * PAGE_BYTES;
      this.#mapping = mapForReading(fd, queue * stride, bytes);
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
    if (this.isBroken) return this.inflight > 0 ? Turn.Idle : Turn.Closed;
    if (!this.#isMuted) {
      this.#isMuted = true;
      ring.muteEvent();
    }
    if (ring.queued > 0) this.#handOver();
    const count = ring.collect();
    for (let i = 0; i < count; i++) this.#take(ring.tag(i), ring.result(i));
    ring.consume(count);
    this.openAnew();
    if (this.#waiting.length > 0 && !this.awaitsExport) this.#executeWaiting();
    if (ring.queued > 0) this.#handOver();
    if (this.#ended === this.#requests.length && this.inflight === 0) return Turn.Closed;
    return count > 0 ? Turn.Worked : Turn.Idle;
  }

  /** Makes the event stand for what comes from now on. */
  override pause(): void {
    clearEvent(this.eventFd);
    this.#isMuted = false;
    this.#ring.unmuteEvent();
    // What came in between would be forgotten otherwise.
    if (this.#ring.ready) signalEvent(this.eventFd);
  }

  /**
   * Commands that the kernel still has end with the thread, and so does what they came through: Linux 6.12 may
   * end them twice when their ring is closed by a thread that goes on, and crash.
   */
  close(): void {
    if (this.#ended === this.#requests.length) {
      this.#ring.close();
      closeDescriptor(this.fd);
    }
    unmap(this.#mapping);
    this.#giveBlocks();
    this.opened.close();
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
    this.isBroken = true;
  }

  #take(tag: number, result: number): void {
    if (result === 0) {
      if (this.awaitsExport) this.#waiting.push(tag);
      else this.#execute(this.#requests[tag]!);
      return;
    }
    this.#ended++;
    if (result !== ABORTED) {
      this.host.log("error", `${this.peer}: the kernel ends tag ${tag}: errno ${-result}`);
    }
  }

  #executeWaiting(): void {
    for (const tag of this.#waiting.splice(0)) this.#execute(this.#requests[tag]!);
  }

  #execute(request: TagRequest): void {
    const errno = this.decode(request);
    const status = errno !== 0 ? errno : this.submit(request);
    if (status !== Status.Pending) this.complete(request, status);
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
    if (request.command === Command.Read) return -this.place(request) || request.lengthLow;
    return request.command === Command.Write ? request.lengthLow : 0;
  }

  /** Tells the kernel what came of a request and takes the next one of its tag. */
  protected override complete(request: TagRequest, errno: number): void {
    const result = errno !== 0 ? -errno : this.deliver(request);
    this.releaseAnswer(request);
    if (!this.isBroken) this.#send(UblkIo.CommitAndFetch, request, result);
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
