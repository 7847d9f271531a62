// SPDX-License-Identifier: MIT
// Trim and write-zeroes requests that wait for the disk. A filesystem tells only by trying which ways
// it has to deallocate or zero a range; the last way is to write zeroes.

import { Errno } from "../block/errno.ts";
import { type Request, RequestFlag, Status } from "../block/request.ts";
import { Falloc } from "../../native/file_data.ts";
import { outOfMemory } from "./file_errors.ts";
import { FileSteps } from "./file_steps.ts";
import { type Operation, OperationKind } from "./operation.ts";

/** Discards may take a disk long; nobody else waits for more than this much of one. */
const DISCARD_BYTES_MAX = 1024 * 1024 * 1024;

const HIGH = 4294967296;

const Step = {
  Trim: 0,
  /** fallocate of the whole units in a range that becomes zero. */
  Units: 1,
  /** Writing zeroes in front of the whole units, */
  Head: 2,
  /** and behind them; or everywhere. */
  Tail: 3,
  Sync: 4,
  Erase: 5,
} as const;

/** See the top of this file. */
export class FileClearing extends FileSteps {
  /** Deallocates the range, as far as the file can. */
  trim(request: Request): number {
    const { file, traits } = this;
    if (file.isBlockDevice ? !traits.discards : !traits.punches) return Status.Done;
    const operation = this.take(
      request,
      file.isBlockDevice ? OperationKind.Discard : OperationKind.Allocate,
    );
    if (operation === null) return outOfMemory(request);
    operation.step = Step.Trim;
    operation.flags = Falloc.Punch;
    if (!file.isBlockDevice) return this.start(operation);
    const head = this.#headBytes(request);
    operation.done = head;
    operation.limit = head + this.#unitBytes(request, head);
    if (this.#nextDiscard(operation, request)) return this.start(operation);
    this.services.operations.give(operation);
    return Status.Done;
  }

  /** Has nothing of the range be had back, where a block device can do that. */
  erase(request: Request): number {
    const { file } = this;
    if (!file.erases) return Errno.EOPNOTSUPP;
    const head = this.#headBytes(request);
    const units = this.#unitBytes(request, head);
    if (head > 0 || units < request.length) {
      request.errorText = `only whole sectors of ${file.unitBytes} bytes can be erased`;
      return Errno.EINVAL;
    }
    const operation = this.take(request, OperationKind.Erase);
    if (operation === null) return outOfMemory(request);
    operation.step = Step.Erase;
    operation.limit = units;
    if (this.#nextDiscard(operation, request)) return this.start(operation);
    this.services.operations.give(operation);
    return Status.Done;
  }

  /** Makes the range read as zeroes. */
  zero(request: Request): number {
    const operation = this.take(request, OperationKind.Allocate);
    if (operation === null) return outOfMemory(request);
    if (this.#prepareZero(operation, request)) return this.start(operation);
    this.services.operations.give(operation);
    return Errno.EOPNOTSUPP;
  }

  protected override after(operation: Operation, request: Request, result: number): void {
    switch (operation.step) {
      case Step.Trim:
        return this.#afterTrim(operation, request, result);
      case Step.Units:
        return this.#afterUnits(operation, request, result);
      case Step.Erase:
        if (result !== 0) return this.endFailed(operation, request, "erase", result);
        operation.done += operation.lengthLow;
        if (this.#nextDiscard(operation, request)) return this.restart(operation);
        return this.end(operation, request, 0);
      case Step.Sync:
        if (result !== 0) return this.endFailed(operation, request, "flush", result);
        return this.end(operation, request, 0);
      default:
        if (result <= 0) return this.endFailed(operation, request, "zero", result || -Errno.EIO);
        operation.done += result;
        return this.#writeOn(operation, request);
    }
  }

  #afterTrim(operation: Operation, request: Request, result: number): void {
    const { isBlockDevice } = this.file;
    this.traits.known.forget();
    if (result === -Errno.EOPNOTSUPP) {
      if (isBlockDevice) this.traits.discards = false;
      else this.traits.punches = false;
      // Trim is advice; ignoring it is one way to follow it.
      return this.end(operation, request, 0);
    }
    if (result !== 0) return this.endFailed(operation, request, "trim", result);
    if (isBlockDevice) {
      operation.done += operation.lengthLow;
      if (this.#nextDiscard(operation, request)) return this.restart(operation);
    }
    this.#settle(operation, request);
  }

  #nextDiscard(operation: Operation, request: Request): boolean {
    const left = operation.limit - operation.done;
    this.place(operation, request);
    operation.lengthHigh = 0;
    operation.lengthLow = Math.min(left, DISCARD_BYTES_MAX);
    return left > 0;
  }

  /** Chooses the next way to zero the range. False when a fast one is asked for and none is left. */
  #prepareZero(operation: Operation, request: Request): boolean {
    const mode = this.#zeroMode(request.flags);
    if (mode === 0 && (request.flags & RequestFlag.FastZero) !== 0) return false;
    const head = this.#headBytes(request);
    const units = this.#unitBytes(request, head);
    if (mode === 0 || units === 0) {
      operation.step = Step.Tail;
      operation.done = 0;
      operation.limit = request.length;
      this.#prepareWrite(operation, request);
      return true;
    }
    operation.step = Step.Units;
    operation.kind = OperationKind.Allocate;
    operation.flags = mode;
    operation.done = head;
    this.place(operation, request);
    // Halves stay as they are where all of it is units, so that they are exact beyond 2^53.
    if (this.file.unitBytes > 1) {
      operation.lengthHigh = Math.floor(units / HIGH);
      operation.lengthLow = units % HIGH;
    }
    return true;
  }

  #zeroMode(flags: number): number {
    const { traits, file } = this;
    const mayPunch = (flags & RequestFlag.NoHole) === 0;
    if (mayPunch && traits.punches) return Falloc.Punch;
    // On a block device the kernel writes the zeroes itself where the device has no command for it.
    const mayBeSlow = (flags & RequestFlag.FastZero) === 0;
    if (traits.zeroRanges && (mayBeSlow || !file.isBlockDevice)) return Falloc.Zero;
    return 0;
  }

  #afterUnits(operation: Operation, request: Request, result: number): void {
    this.traits.known.forget();
    if (result === -Errno.EOPNOTSUPP) {
      if (operation.flags === Falloc.Punch) this.traits.punches = false;
      else this.traits.zeroRanges = false;
      if (this.#prepareZero(operation, request)) this.restart(operation);
      else this.end(operation, request, Errno.EOPNOTSUPP);
      return;
    }
    if (result !== 0) return this.endFailed(operation, request, "zero", result);
    operation.step = Step.Head;
    operation.done = 0;
    operation.limit = this.#headBytes(request);
    this.#writeOn(operation, request);
  }

  /** Writes zeroes up to the limit, then those behind the units, then is done. */
  #writeOn(operation: Operation, request: Request): void {
    if (operation.done === operation.limit && operation.step === Step.Head) {
      const head = this.#headBytes(request);
      operation.step = Step.Tail;
      operation.limit = request.length;
      operation.done = this.file.unitBytes === 1
        ? operation.limit
        : head + this.#unitBytes(request, head);
    }
    if (operation.done === operation.limit) return this.#settle(operation, request);
    this.#prepareWrite(operation, request);
    this.restart(operation);
  }

  #prepareWrite(operation: Operation, request: Request): void {
    const { zeroes } = this.services;
    operation.kind = OperationKind.Write;
    operation.flags = 0;
    operation.address = zeroes.address;
    operation.lengthHigh = 0;
    operation.lengthLow = Math.min(operation.limit - operation.done, zeroes.length);
    this.place(operation, request);
  }

  #settle(operation: Operation, request: Request): void {
    if (!this.mustSync(request)) return this.end(operation, request, 0);
    operation.step = Step.Sync;
    operation.kind = OperationKind.Sync;
    operation.offsetHigh = operation.offsetLow = 0;
    operation.lengthHigh = operation.lengthLow = 0;
    this.restart(operation);
  }

  /** Bytes of the request in front of its first whole unit. */
  #headBytes(request: Request): number {
    const unit = this.file.unitBytes;
    const head = (unit - request.offsetLow % unit) % unit;
    return Math.min(head, request.length);
  }

  /** Bytes in whole units behind the first `head`. Exact for block devices: none has 2^53 bytes. */
  #unitBytes(request: Request, head: number): number {
    const left = request.length - head;
    return left - left % this.file.unitBytes;
  }
}
