// SPDX-License-Identifier: MIT
// Operations done one after the other on the calling thread, for kernels without io_uring and for
// calls that io_uring lacks. Others wait meanwhile, but only for one operation: each `reap` does one.

import { adviseAt, allocateAt, readAt, syncData, writeAt } from "../../native/file_data.ts";
import { clearEvent, closeDescriptor, createEvent, signalEvent } from "../../native/descriptor.ts";
import { discardBlocks, eraseBlocks } from "../../native/file.ts";
import { type Operation, OperationKind, OperationList, type OperationQueue } from "./operation.ts";
import { Errno } from "../block/errno.ts";

/** Does the operation now, waiting for the disk where it must. */
export function perform(operation: Operation): number {
  const { fd, flags, address, offsetHigh, offsetLow, lengthHigh, lengthLow } = operation;
  switch (operation.kind) {
    case OperationKind.Read:
      return readAt(fd, address, lengthLow, offsetHigh, offsetLow, flags);
    case OperationKind.Write:
      return writeAt(fd, address, lengthLow, offsetHigh, offsetLow, flags);
    case OperationKind.Sync:
      return syncData(fd);
    case OperationKind.Allocate:
      return allocateAt(fd, flags, offsetHigh, offsetLow, lengthHigh, lengthLow);
    case OperationKind.Advise:
      return adviseAt(fd, offsetHigh, offsetLow, lengthHigh, lengthLow, flags);
    case OperationKind.Discard:
      return discardBlocks(fd, offsetHigh, offsetLow, lengthHigh, lengthLow);
    case OperationKind.Erase:
      return eraseBlocks(fd, offsetHigh, offsetLow, lengthHigh, lengthLow);
    default:
      return -Errno.EINVAL;
  }
}

/** See the top of this file. */
export class BlockingQueue implements OperationQueue {
  readonly completionFd: number;
  readonly #ownsEvent: boolean;
  readonly #waiting = new OperationList();

  /** `eventFd`: an eventfd of somebody else's to use, and to be cleared by them. */
  constructor(eventFd?: number) {
    this.#ownsEvent = eventFd === undefined;
    this.completionFd = eventFd ?? createEvent();
  }

  start(operation: Operation): void {
    if (this.#waiting.isEmpty) signalEvent(this.completionFd);
    this.#waiting.push(operation);
  }

  submit(): void {}

  reap(): void {
    const operation = this.#waiting.shift();
    const more = !this.#waiting.isEmpty;
    if (this.#ownsEvent && !more) clearEvent(this.completionFd);
    if (!this.#ownsEvent && more) signalEvent(this.completionFd);
    if (operation !== null) operation.owner!.finished(operation, perform(operation));
  }

  /** Whether nothing waits. */
  get isIdle(): boolean {
    return this.#waiting.isEmpty;
  }

  drain(): void {
    while (!this.#waiting.isEmpty) this.reap();
  }

  close(): void {
    if (this.#ownsEvent) closeDescriptor(this.completionFd);
  }
}
