// SPDX-License-Identifier: MIT
// What is common to requests on a file that wait for the disk: each takes one operation through one
// or several steps, one at a time, and is then completed.

import { type Request, RequestFlag, Status } from "../block/request.ts";
import { failed } from "./file_errors.ts";
import type { FileServices } from "./file_services.ts";
import type { FileTraits } from "./file_traits.ts";
import type { HostFile } from "./host_file.ts";
import { type Operation, OperationKind, type OperationOwner } from "./operation.ts";

const HIGH = 4294967296;
/** Memory is lent at multiples of this. */
export const BOUNCE_ALIGNMENT = 4096;

/** See the top of this file. */
export abstract class FileSteps implements OperationOwner {
  constructor(
    protected readonly file: HostFile,
    protected readonly traits: FileTraits,
    protected readonly services: FileServices,
  ) {}

  finished(operation: Operation, result: number): void {
    if (this.#holdsLock(operation)) this.traits.locking--;
    this.after(operation, operation.request!, result);
  }

  /** Goes on when a step has ended: with `restart` or `end`. */
  protected abstract after(operation: Operation, request: Request, result: number): void;

  /** An operation on the whole of `request`, through the page cache; null when there are too many. */
  protected take(request: Request, kind: number): Operation | null {
    const operation = this.services.operations.take();
    if (operation === null) return null;
    operation.kind = kind;
    operation.fd = this.file.fd;
    operation.flags = 0;
    operation.offsetHigh = request.offsetHigh;
    operation.offsetLow = request.offsetLow;
    operation.lengthHigh = request.lengthHigh;
    operation.lengthLow = request.lengthLow;
    operation.owner = this;
    operation.request = request;
    operation.step = 0;
    operation.done = 0;
    return operation;
  }

  protected start(operation: Operation): number {
    this.restart(operation);
    return Status.Pending;
  }

  protected restart(operation: Operation): void {
    if (this.#holdsLock(operation)) this.traits.locking++;
    this.services.queue.start(operation);
  }

  /** Moves the operation to where the request stands after `done` bytes. */
  protected place(operation: Operation, request: Request): void {
    const low = request.offsetLow + operation.done;
    operation.offsetLow = low % HIGH;
    operation.offsetHigh = request.offsetHigh + Math.floor(low / HIGH);
  }

  protected end(operation: Operation, request: Request, errno: number): void {
    if (operation.bounce !== 0) {
      const { memory } = this.services;
      memory.free(operation.bounce, operation.bounceLength, BOUNCE_ALIGNMENT);
      operation.bounce = 0;
    }
    this.services.operations.give(operation);
    request.sink.completed(request, errno);
  }

  /** Ends the request with the negative errno `result`. `verb`: what was tried. */
  protected endFailed(operation: Operation, request: Request, verb: string, result: number): void {
    const errno = failed(this.services, this.file, request, verb, -result);
    this.end(operation, request, errno);
  }

  /** Whether what was done still has to be made durable before the answer. */
  protected mustSync(request: Request): boolean {
    return (request.flags & RequestFlag.Fua) !== 0 && !this.traits.inMemory;
  }

  #holdsLock(operation: Operation): boolean {
    return operation.kind === OperationKind.Allocate ||
      (operation.kind === OperationKind.Write && operation.fd === this.file.fd);
  }
}
