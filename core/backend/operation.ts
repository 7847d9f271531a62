// SPDX-License-Identifier: MIT
// One system call on a file that may wait for the disk, and the queue that has such calls done in the
// background. Operations are pooled: at rest nothing is allocated.

import type { Request } from "../block/request.ts";

/** What an operation does. Its result is that of the system call, or the negative errno. */
export const OperationKind = {
  /** pread(2) to `address`. */
  Read: 0,
  /** pwrite(2) from `address`; `flags`: Rwf. */
  Write: 1,
  /** fdatasync(2), where possible only of the range; 0 bytes at 0 are the whole file. */
  Sync: 2,
  /** fallocate(2); `flags`: Falloc. */
  Allocate: 3,
  /** posix_fadvise(3); `flags`: Advice. */
  Advise: 4,
  /** Discards blocks of a block device. */
  Discard: 5,
  /** Erases blocks of a block device for good. */
  Erase: 6,
} as const;

/** Who started an operation. */
export interface OperationOwner {
  /** May start the same operation again, or has to give it back to its pool. */
  finished(operation: Operation, result: number): void;
}

/** See the top of this file. */
export class Operation {
  kind = 0;
  fd = -1;
  flags = 0;
  /** Read and write: where the bytes are. */
  address = 0;
  offsetHigh = 0;
  offsetLow = 0;
  /** Bytes; beyond 32 bits only for Allocate, Discard and Erase. */
  lengthHigh = 0;
  lengthLow = 0;
  owner: OperationOwner | null = null;

  /** Owner's: the request that this is part of. */
  request: Request | null = null;
  /** Owner's: what the request is at. */
  step = 0;
  /** Owner's: bytes of the request that are done, and up to where this step is to do them. */
  done = 0;
  limit = 0;
  /** Owner's: memory to give back at the end, 0 for none, and its length. */
  bounce = 0;
  bounceLength = 0;

  /** Queue's: the next one that waits. */
  next: Operation | null = null;
}

/** Operations that exist at a time, waiting ones included. */
export const OPERATIONS_MAX = 65536;

/** Lends operations. */
export class OperationPool {
  readonly #idle: Operation[] = [];
  #made = 0;

  /** An operation to fill in; null when OPERATIONS_MAX are under way. */
  take(): Operation | null {
    const operation = this.#idle.pop();
    if (operation !== undefined) return operation;
    if (this.#made === OPERATIONS_MAX) return null;
    this.#made++;
    return new Operation();
  }

  give(operation: Operation): void {
    operation.request = null;
    operation.owner = null;
    this.#idle.push(operation);
  }

  /** Operations that are lent. */
  get lent(): number {
    return this.#made - this.#idle.length;
  }
}

/** Does operations in the background. */
export interface OperationQueue {
  /** Descriptor that becomes readable when `reap` has something to finish. */
  readonly completionFd: number;
  /** Takes an operation; it is handed to the kernel at the next `submit`, or later when that is busy. */
  start(operation: Operation): void;
  /** Hands what was started to the kernel. */
  submit(): void;
  /** Tells owners what is finished. */
  reap(): void;
  /** Waits until nothing is under way any more, owners being told; gives up when nothing moves on. */
  drain(): void;
  /** Nothing may be under way. */
  close(): void;
}

/** First in, first out; linked through the operations themselves. */
export class OperationList {
  #first: Operation | null = null;
  #last: Operation | null = null;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  push(operation: Operation): void {
    operation.next = null;
    if (this.#last === null) this.#first = operation;
    else this.#last.next = operation;
    this.#last = operation;
  }

  shift(): Operation | null {
    const first = this.#first;
    if (first === null) return null;
    this.#first = first.next;
    if (this.#first === null) this.#last = null;
    first.next = null;
    return first;
  }
}
