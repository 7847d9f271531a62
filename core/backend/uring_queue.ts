// SPDX-License-Identifier: MIT
// Operations done by io_uring. As many as the ring has entries are with the kernel at a time; others
// wait in order.

import { FSYNC_DATASYNC, IoUring, Uring } from "../../native/io_uring.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import { clearEvent, closeDescriptor, createEvent, signalEvent } from "../../native/descriptor.ts";
import { Errno } from "../block/errno.ts";
import { BlockingQueue, perform } from "./blocking_queue.ts";
import { type Operation, OperationKind, OperationList, type OperationQueue } from "./operation.ts";

/** Operations that the kernel works on at a time, per device. */
export const RING_ENTRIES = 256;

/** A queue that is drained is given up when the kernel has finished nothing for so long. */
const DRAIN_MS_MAX = 30_000;
const DRAIN_STEP_MS = 100;

/** What a kernel must offer: all of it is there since Linux 5.6. */
const NEEDED = [Uring.Read, Uring.Write, Uring.Fsync, Uring.Fallocate, Uring.Fadvise];

/** See the top of this file. */
export class UringQueue implements OperationQueue {
  readonly completionFd: number;

  readonly #ring: IoUring;
  readonly #blocking: BlockingQueue;
  /** What the kernel works on, by tag. */
  readonly #active: (Operation | null)[] = new Array(RING_ENTRIES).fill(null);
  readonly #freeTags = new Uint16Array(RING_ENTRIES);
  #freeCount = RING_ENTRIES;
  readonly #waiting = new OperationList();
  #discards: boolean;

  /** Throws SystemError where there is no io_uring. */
  constructor() {
    this.#ring = new IoUring(RING_ENTRIES);
    this.completionFd = createEvent();
    this.#blocking = new BlockingQueue(this.completionFd);
    for (let tag = 0; tag < RING_ENTRIES; tag++) this.#freeTags[tag] = tag;
    this.#discards = this.#ring.supports(Uring.UringCmd);
    this.#ring.registerEvent(this.completionFd);
  }

  /** Whether the kernel has all operations that are needed. */
  get complete(): boolean {
    return NEEDED.every((operation) => this.#ring.supports(operation));
  }

  start(operation: Operation): void {
    // io_uring has no command to erase, and before Linux 6.12 none to discard.
    const { kind } = operation;
    if (kind === OperationKind.Erase || kind === OperationKind.Discard && !this.#discards) {
      return this.#blocking.start(operation);
    }
    if (this.#freeCount === 0 || !this.#waiting.isEmpty) return this.#waiting.push(operation);
    this.#fill(operation);
  }

  submit(): void {
    // Out of memory, or too much unfinished work: what is left goes with the next turn.
    if (this.#ring.queued > 0 && this.#ring.submit() !== 0) signalEvent(this.completionFd);
  }

  reap(): void {
    // Bringing completions in signals the event itself, so it is cleared behind that; whatever
    // finished in between is found by looking again, and what finishes later signals again.
    this.#ring.collect();
    clearEvent(this.completionFd);
    const count = this.#ring.collect();
    for (let i = 0; i < count; i++) {
      const tag = this.#ring.tag(i);
      const operation = this.#active[tag]!;
      const result = this.#ring.result(i);
      this.#active[tag] = null;
      this.#freeTags[this.#freeCount++] = tag;
      this.#finish(operation, result);
    }
    if (count > 0) this.#ring.consume(count);
    while (this.#freeCount > 0 && !this.#waiting.isEmpty) this.#fill(this.#waiting.shift()!);
    this.#blocking.reap();
  }

  drain(): void {
    const epoll = new Epoll(1);
    epoll.add(this.completionFd, Poll.In);
    let movedMs = performance.now();
    while (this.#freeCount < RING_ENTRIES || !this.#waiting.isEmpty || !this.#blocking.isIdle) {
      this.submit();
      if (epoll.wait(DRAIN_STEP_MS) > 0) movedMs = performance.now();
      else if (performance.now() - movedMs > DRAIN_MS_MAX) break;
      this.reap();
    }
    epoll.close();
  }

  close(): void {
    this.#ring.close();
    this.#blocking.close();
    closeDescriptor(this.completionFd);
  }

  #finish(operation: Operation, result: number): void {
    if (operation.kind === OperationKind.Discard && unknownCommand(result)) {
      // A kernel before 6.12 does not know the command; only the ioctl tells what the device can.
      if (result !== -Errno.EOPNOTSUPP) this.#discards = false;
      return this.#blocking.start(operation);
    }
    if (result === -Errno.EINTR) return this.start(operation);
    // Somebody made the descriptor non-blocking: io_uring then never waits, but a plain call does.
    if (result === -Errno.EAGAIN) result = perform(operation);
    operation.owner!.finished(operation, result);
  }

  #fill(operation: Operation): void {
    const tag = this.#freeTags[--this.#freeCount]!;
    this.#active[tag] = operation;
    const ring = this.#ring;
    const { fd, flags, address, offsetHigh, offsetLow, lengthHigh, lengthLow } = operation;
    switch (operation.kind) {
      case OperationKind.Read:
        return ring.read(tag, fd, address, lengthLow, offsetHigh, offsetLow, flags);
      case OperationKind.Write:
        return ring.write(tag, fd, address, lengthLow, offsetHigh, offsetLow, flags);
      case OperationKind.Sync:
        return ring.fsync(tag, fd, offsetHigh, offsetLow, lengthLow, FSYNC_DATASYNC);
      case OperationKind.Allocate:
        return ring.fallocate(tag, fd, flags, offsetHigh, offsetLow, lengthHigh, lengthLow);
      case OperationKind.Advise:
        return ring.fadvise(tag, fd, offsetHigh, offsetLow, lengthLow, flags);
      case OperationKind.Discard:
        return ring.discard(tag, fd, offsetHigh, offsetLow, lengthHigh, lengthLow);
    }
  }
}

function unknownCommand(result: number): boolean {
  return result === -Errno.EOPNOTSUPP || result === -Errno.EINVAL || result === -Errno.ENOTTY;
}
