// SPDX-License-Identifier: MIT
// A file that a plugin has open. What the page cache can do at once is done on the spot; the rest is
// queued, unless the plugin wants to wait.

import { Errno, errnoName } from "../block/errno.ts";
import { BlockError } from "../block/errno.ts";
import { Status } from "../block/request.ts";
import { type FileJob, FileJobKind } from "../plugin/file_job.ts";
import type { GrantedFile } from "../plugin/files.ts";
import { quoted } from "../plugin/text.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { resizeFile } from "../../native/file.ts";
import { Falloc, found, Rwf, seekEnd } from "../../native/file_data.ts";
import { toBigInt } from "../block/uint64.ts";
import { perform } from "./blocking_queue.ts";
import { Operation, OperationKind, type OperationOwner, type OperationQueue } from "./operation.ts";

const HIGH = 4294967296;
const KINDS: Readonly<Record<number, number>> = {
  [FileJobKind.Read]: OperationKind.Read,
  [FileJobKind.Write]: OperationKind.Write,
  [FileJobKind.Sync]: OperationKind.Sync,
  [FileJobKind.Zero]: OperationKind.Allocate,
};
const VERBS = ["read", "write", "sync", "zero"];

/** An operation that does a plugin's job. */
class JobOperation extends Operation {
  job: FileJob | null = null;
}

/** See the top of this file. */
export class OpenedFile implements GrantedFile, OperationOwner {
  readonly #fd: number;
  readonly #path: string;
  readonly #kind: "regular" | "block";
  readonly #queue: OperationQueue;
  readonly #idle: JobOperation[] = [];
  /** Not every filesystem can say that it would have to wait. */
  #asksFirst: boolean;

  constructor(
    fd: number,
    path: string,
    kind: "regular" | "block",
    queue: OperationQueue,
    asksFirst = true,
  ) {
    this.#asksFirst = asksFirst;
    this.#fd = fd;
    this.#path = path;
    this.#kind = kind;
    this.#queue = queue;
  }

  size(): bigint {
    const result = seekEnd(this.#fd);
    if (result < 0) {
      throw new BlockError(
        -result,
        `cannot get the size of ${quoted(this.#path)}: ${errnoName(-result)}`,
      );
    }
    return toBigInt(found.high, found.low);
  }

  resize(sizeHigh: number, sizeLow: number): number {
    if (this.#kind === "block") return Errno.EINVAL;
    return -resizeFile(this.#fd, sizeHigh, sizeLow);
  }

  run(job: FileJob, wait: boolean): number {
    const operation = this.#begin(job);
    const isTransfer = job.kind === FileJobKind.Read || job.kind === FileJobKind.Write;
    // A write that has to reach the disk waits for it in any case.
    if (!wait && isTransfer && this.#asksFirst && !job.fua) {
      operation.flags |= Rwf.Nowait;
      const result = perform(operation);
      operation.flags &= ~Rwf.Nowait;
      if (result === -Errno.EOPNOTSUPP) this.#asksFirst = false;
      else if (result !== -Errno.EAGAIN && result !== -Errno.EINTR) {
        const status = this.#step(operation, job, result);
        if (status !== Status.Pending) return this.#end(operation, status);
      }
    }
    if (!wait) {
      this.#queue.start(operation);
      return Status.Pending;
    }
    while (true) {
      const result = perform(operation);
      const status = result === -Errno.EINTR ? Status.Pending : this.#step(operation, job, result);
      if (status !== Status.Pending) return this.#end(operation, status);
    }
  }

  finished(operation: Operation, result: number): void {
    const { job } = operation as JobOperation;
    const status = this.#step(operation, job!, result);
    if (status === Status.Pending) return this.#queue.start(operation);
    this.#end(operation as JobOperation, status);
    job!.sink.finished(job!, status);
  }

  close(): void {
    closeDescriptor(this.#fd);
  }

  #begin(job: FileJob): JobOperation {
    const operation = this.#idle.pop() ?? new JobOperation();
    const { kind } = job;
    operation.job = job;
    operation.owner = this;
    operation.kind = KINDS[kind]!;
    operation.fd = this.#fd;
    operation.flags = job.fua ? Rwf.Dsync : 0;
    if (kind === FileJobKind.Zero) operation.flags = job.mayTrim ? Falloc.Punch : Falloc.Zero;
    operation.address = job.address;
    operation.offsetHigh = job.offsetHigh;
    operation.offsetLow = job.offsetLow;
    operation.lengthHigh = job.lengthHigh;
    operation.lengthLow = job.lengthLow;
    operation.done = 0;
    return operation;
  }

  #end(operation: JobOperation, status: number): number {
    operation.job = null;
    this.#idle.push(operation);
    return status;
  }

  /** Goes on after a call that returned `result`: 0, an errno, or Status.Pending for more to do. */
  #step(operation: Operation, job: FileJob, result: number): number {
    if (result < 0) return this.#failed(job, -result);
    if (job.kind !== FileJobKind.Read && job.kind !== FileJobKind.Write) return 0;
    if (result === 0) {
      return this.#failed(job, job.kind === FileJobKind.Read ? Errno.ENODATA : Errno.EIO);
    }
    operation.done += result;
    if (operation.done === job.lengthLow) return 0;
    const low = job.offsetLow + operation.done;
    operation.address = job.address + operation.done;
    operation.lengthLow = job.lengthLow - operation.done;
    operation.offsetLow = low % HIGH;
    operation.offsetHigh = job.offsetHigh + Math.floor(low / HIGH);
    return Status.Pending;
  }

  #failed(job: FileJob, errno: number): number {
    const fact = errno === Errno.ENODATA ? "it ends before" : errnoName(errno);
    job.errorText = `cannot ${VERBS[job.kind]} ${quoted(this.#path)}: ${fact}`;
    return errno;
  }
}
