// SPDX-License-Identifier: MIT
// Reads and writes that wait for the disk. What the kernel does partly is continued until it is done
// completely or fails.

import { Errno } from "../block/errno.ts";
import { copyFrom } from "../block/memory.ts";
import type { Request } from "../block/request.ts";
import { Rwf } from "../../native/file_data.ts";
import { endedRead, failedRead, outOfMemory } from "./file_errors.ts";
import { BOUNCE_ALIGNMENT, FileSteps } from "./file_steps.ts";
import { type Operation, OperationKind } from "./operation.ts";

/** See the top of this file. */
export class FileTransfers extends FileSteps {
  /** Reads from `fd` what is missing behind the first `done` bytes at `address`. */
  read(request: Request, address: number, done: number, fd: number): number {
    const operation = this.take(request, OperationKind.Read);
    if (operation === null) return outOfMemory(request);
    operation.fd = fd;
    operation.address = address;
    this.#advance(operation, request, done);
    return this.start(operation);
  }

  /** Writes to `fd` what is missing behind the first `done` bytes. */
  write(request: Request, done: number, fd: number): number {
    const operation = this.take(request, OperationKind.Write);
    if (operation === null) return outOfMemory(request);
    operation.fd = fd;
    operation.address = request.payload;
    if (this.mustSync(request)) operation.flags = Rwf.Dsync;
    if (fd === this.file.directFd) this.#align(operation, request);
    this.#advance(operation, request, done);
    return this.start(operation);
  }

  protected override after(operation: Operation, request: Request, result: number): void {
    if (result === -Errno.EINVAL && operation.fd === this.file.directFd) {
      // Direct I/O asks for more than the kernel told. The page cache takes everything.
      operation.fd = this.file.fd;
      return this.restart(operation);
    }
    if (operation.kind === OperationKind.Read) this.#afterRead(operation, request, result);
    else this.#afterWrite(operation, request, result);
  }

  #afterRead(operation: Operation, request: Request, result: number): void {
    const length = request.lengthLow;
    const { services, file } = this;
    const { done } = operation;
    const address = operation.address - done;
    if (result > 0 && done + result < length) {
      this.#advance(operation, request, result);
      return this.restart(operation);
    }
    if (result > 0) {
      request.data(0, address, length, false);
      this.end(operation, request, 0);
    } else if (result === 0) {
      this.end(operation, request, endedRead(services, file, request, address, done));
    } else {
      this.end(operation, request, failedRead(services, file, request, address, done, -result));
    }
  }

  #afterWrite(operation: Operation, request: Request, result: number): void {
    // Nothing written and no error does not happen on files; going round for ever must not either.
    if (result <= 0) return this.endFailed(operation, request, "write", result || -Errno.EIO);
    if (operation.done + result === request.lengthLow) return this.end(operation, request, 0);
    this.#advance(operation, request, result);
    this.restart(operation);
  }

  /** Moves the operation behind `bytes` more that are done. */
  #advance(operation: Operation, request: Request, bytes: number): void {
    operation.done += bytes;
    operation.address += bytes;
    operation.lengthLow = request.lengthLow - operation.done;
    this.place(operation, request);
    // A remainder is not aligned in general.
    if (operation.done > 0) operation.fd = this.file.fd;
  }

  /** Copies a payload that does not lie as direct I/O wants it; without memory, gives direct I/O up. */
  #align(operation: Operation, request: Request): void {
    const { memory } = this.services;
    if (request.payload % this.file.directMemoryAlignment === 0) return;
    const length = request.lengthLow;
    const bounce = memory.allocate(length, BOUNCE_ALIGNMENT);
    if (bounce === 0) {
      operation.fd = this.file.fd;
      return;
    }
    copyFrom(request.payload, memory.bytes.subarray(bounce, bounce + length));
    operation.bounce = bounce;
    operation.bounceLength = length;
    operation.address = memory.address + bounce;
  }
}
