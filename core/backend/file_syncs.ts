// SPDX-License-Identifier: MIT
// Flush, cache, and writes that only have to become durable: requests that wait for the disk.

import type { Request } from "../block/request.ts";
import { Advice } from "../../native/file_data.ts";
import { outOfMemory } from "./file_errors.ts";
import { FileSteps } from "./file_steps.ts";
import { type Operation, OperationKind } from "./operation.ts";

/** The kernel may read ahead no more than this for one advice, whatever it is asked for. */
const ADVICE_BYTES = 128 * 1024;

/** See the top of this file. */
export class FileSyncs extends FileSteps {
  /** Makes all writes that have been answered durable. */
  flush(request: Request): number {
    const operation = this.take(request, OperationKind.Sync);
    if (operation === null) return outOfMemory(request);
    operation.offsetHigh = operation.offsetLow = 0;
    operation.lengthHigh = operation.lengthLow = 0;
    return this.start(operation);
  }

  /** Makes a write that is done durable. Several of these go on at a time, unlike writes with DSYNC. */
  persist(request: Request): number {
    const operation = this.take(request, OperationKind.Sync);
    return operation === null ? outOfMemory(request) : this.start(operation);
  }

  /** Reads the range into the page cache. */
  cache(request: Request): number {
    const operation = this.take(request, OperationKind.Advise);
    if (operation === null) return outOfMemory(request);
    operation.flags = Advice.WillNeed;
    this.#next(operation, request);
    return this.start(operation);
  }

  protected override after(operation: Operation, request: Request, result: number): void {
    const isSync = operation.kind === OperationKind.Sync;
    if (result !== 0) {
      return this.endFailed(operation, request, isSync ? "flush" : "cache", result);
    }
    operation.done += operation.lengthLow;
    if (isSync || operation.done >= request.length) return this.end(operation, request, 0);
    this.#next(operation, request);
    this.restart(operation);
  }

  #next(operation: Operation, request: Request): void {
    this.place(operation, request);
    operation.lengthHigh = 0;
    operation.lengthLow = Math.min(request.length - operation.done, ADVICE_BYTES);
  }
}
