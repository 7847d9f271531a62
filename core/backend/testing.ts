// SPDX-License-Identifier: MIT
// A stand-in for the reactor, for tests and microbenchmarks of backends: submits one request at a time
// and waits for the answer as the reactor does, by polling `completionFds` and calling `reap`.

import assert from "node:assert/strict";
import type { Device, OpenExport } from "../block/device.ts";
import { copyFrom, type PayloadMemory } from "../block/memory.ts";
import { errnoName } from "../block/errno.ts";
import {
  Command,
  Piece,
  type ReplySpace,
  Request,
  RequestFlag,
  type RequestSink,
  Status,
} from "../block/request.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import { Epoll, Poll } from "../../native/epoll.ts";

/** A request that takes longer than this is lost. */
const WAIT_MS_MAX = 20_000;
const PENDING = -1;

/** One extent of a block status. */
export interface TestExtent {
  length: number;
  flags: number;
}

/** An answer with an error. */
export class Refused extends Error {
  constructor(readonly errno: number, readonly text: string) {
    super(`${errnoName(errno)}: ${text}`);
  }
}

/** See the top of this file. */
export class TestClient implements ReplySpace, RequestSink {
  /** Requests that were not answered on the spot. */
  pended = 0;
  /** Payloads of writes begin so many bytes behind a multiple of 4096. */
  payloadShift = 28;

  readonly #lent: { pointer: number; length: number }[] = [];
  readonly #results = new Map<Request, number>();
  #epoll: Epoll | null = null;

  constructor(readonly device: Device, readonly opened: OpenExport) {}

  get memory(): PayloadMemory {
    return this.device.memory;
  }

  take(_request: Request, length: number): number {
    const pointer = this.device.memory.allocate(length, this.device.bufferAlignment);
    if (pointer === 0) return 0;
    this.#lent.push({ pointer, length });
    return this.memory.address + pointer;
  }

  completed(request: Request, errno: number): void {
    this.#results.set(request, errno);
  }

  /** Throws Refused, also where only a part fails. */
  read(offset: number | bigint, length: number): Uint8Array<ArrayBuffer> {
    const { bytes, errno, text } = this.readPartly(offset, length);
    if (errno !== 0) throw new Refused(errno, text);
    return bytes;
  }

  /** The bytes in front of the first error, and that. */
  readPartly(
    offset: number | bigint,
    length: number,
  ): { bytes: Uint8Array<ArrayBuffer>; errno: number; text: string; holes: number } {
    const request = this.request(Command.Read, offset, BigInt(length), 0);
    let errno = this.#run(request);
    const bytes = new Uint8Array(length);
    let at = 0;
    let holes = 0;
    for (let i = 0; errno === 0 && i < request.pieceCount; i++) {
      assert.equal(request.pieceAt(i), at, "pieces cover the request in order");
      const kind = request.pieceKind(i);
      const pointer = request.pieceValue(i);
      if (kind === Piece.Error) {
        errno = pointer;
        break;
      }
      if (kind === Piece.Hole) holes += request.pieceLength(i);
      else if (kind !== Piece.Zero) bytes.set(this.bytesAt(pointer, request.pieceLength(i)), at);
      at += request.pieceLength(i);
    }
    if (errno === 0) assert.equal(at, length, "pieces cover the request");
    this.giveBack();
    return { bytes: bytes.subarray(0, at), errno, text: request.errorText, holes };
  }

  write(offset: number | bigint, data: Uint8Array, flags = 0): void {
    this.#finish(this.writeRequest(offset, data, flags));
  }

  flush(): void {
    this.#finish(this.request(Command.Flush, 0, 0n, 0));
  }

  trim(offset: number | bigint, length: number | bigint, flags = 0): void {
    this.#finish(this.request(Command.Trim, offset, BigInt(length), flags));
  }

  zero(offset: number | bigint, length: number | bigint, flags = 0): void {
    this.#finish(this.request(Command.WriteZeroes, offset, BigInt(length), flags));
  }

  secureErase(offset: number | bigint, length: number | bigint): void {
    this.#finish(this.request(Command.SecureErase, offset, BigInt(length), 0));
  }

  /** Makes an ioctl. Returns what is in the place of the argument then. */
  ioctl(number: number, argument: Uint8Array): Uint8Array {
    const request = this.writeRequest(0, argument, 0);
    request.command = Command.Ioctl;
    request.ioctl = number;
    const errno = this.#run(request);
    const answer = this.bytesAt(request.payload, argument.length).slice();
    this.giveBack();
    if (errno !== 0) throw new Refused(errno, request.errorText);
    return answer;
  }

  cache(offset: number | bigint, length: number): void {
    this.#finish(this.request(Command.Cache, offset, BigInt(length), 0));
  }

  extents(offset: number | bigint, length: number | bigint, one = false): TestExtent[] {
    const flags = one ? RequestFlag.ReqOne : 0;
    const request = this.request(Command.BlockStatus, offset, BigInt(length), flags);
    const errno = this.#run(request);
    if (errno !== 0) throw new Refused(errno, request.errorText);
    return Array.from({ length: request.pieceCount }, (_, i) => {
      assert.equal(request.pieceKind(i), Piece.Extent);
      const low = request.pieceLength(i);
      assert.ok(low >= 0 && low < 2 ** 32, "a half of a length is 32 bits");
      const size = request.pieceAt(i) * 2 ** 32 + low;
      return { length: size, flags: request.pieceValue(i) };
    });
  }

  /** Submits all before waiting for any. Returns their errnos. */
  together(requests: Request[]): number[] {
    const results = requests.map((request) => this.opened.submit(request));
    return requests.map((request, i) => this.#wait(request, results[i]!));
  }

  /** A write that is not submitted yet. */
  writeRequest(offset: number | bigint, data: Uint8Array, flags: number): Request {
    const request = this.request(Command.Write, offset, BigInt(data.length), flags);
    const length = data.length + this.payloadShift;
    const pointer = this.device.memory.allocate(length, 4096);
    assert.notEqual(pointer, 0, "no memory for the payload");
    this.#lent.push({ pointer, length });
    request.payload = this.memory.address + pointer + this.payloadShift;
    this.bytesAt(request.payload, data.length).set(data);
    return request;
  }

  /** Closes the export and then the device. */
  close(): void {
    this.opened.close();
    this.#epoll?.close();
    this.device.close();
  }

  /** Like `close`, but lets the device first do what it has put off, as a server that stops does. */
  finish(): void {
    this.opened.close();
    const deadline = performance.now() + WAIT_MS_MAX;
    while (this.device.finish() >= 0 || this.device.busy) {
      this.turn(1);
      assert.ok(performance.now() < deadline, "the device never finished");
    }
    this.#epoll?.close();
    this.device.close();
  }

  /** Does what there is to do for the device, after waiting up to `waitMs` for something. */
  turn(waitMs: number): void {
    const { device } = this;
    this.#watch();
    device.submitQueued();
    const untilMs = Math.ceil(device.nextMs - performance.now());
    this.#epoll!.wait(Math.max(0, Math.min(waitMs, untilMs)));
    device.reap();
  }

  /** Any other request that is not submitted yet. */
  request(command: number, offset: number | bigint, length: bigint, flags: number): Request {
    const request = new Request();
    request.command = command;
    request.flags = flags;
    request.offsetHigh = highOf(BigInt(offset));
    request.offsetLow = lowOf(BigInt(offset));
    request.lengthHigh = highOf(length);
    request.lengthLow = lowOf(length);
    request.sink = this;
    request.space = this;
    return request;
  }

  #finish(request: Request): void {
    const errno = this.#run(request);
    this.giveBack();
    if (errno !== 0) throw new Refused(errno, request.errorText);
  }

  #run(request: Request): number {
    return this.#wait(request, this.opened.submit(request));
  }

  #wait(request: Request, status: number): number {
    if (status !== Status.Pending) return status;
    this.pended++;
    const { device } = this;
    this.#watch();
    const deadline = performance.now() + WAIT_MS_MAX;
    let result = PENDING;
    while (result === PENDING) {
      device.submitQueued();
      result = this.#results.get(request) ?? PENDING;
      if (result !== PENDING) break;
      const timeoutMs = Math.max(0, Math.min(1000, Math.ceil(device.nextMs - performance.now())));
      if (this.#epoll!.wait(timeoutMs) > 0 || device.nextMs <= performance.now()) device.reap();
      assert.ok(performance.now() < deadline, "a pending request was never completed");
    }
    this.#results.delete(request);
    return result;
  }

  #watch(): void {
    if (this.#epoll !== null) return;
    this.#epoll = new Epoll(1);
    for (const fd of this.device.completionFds) this.#epoll.add(fd, Poll.In);
  }

  /** The bytes at an address, in the device's memory or, as a copy, in that of a part of it. */
  bytesAt(address: number, length: number): Uint8Array {
    const { bytes } = this.memory;
    const pointer = address - this.memory.address;
    if (pointer >= 0 && pointer + length <= bytes.length) {
      return bytes.subarray(pointer, pointer + length);
    }
    const copy = new Uint8Array(length);
    copyFrom(address, copy);
    return copy;
  }

  /** Ends the use of all memory that answers and payloads lie in. */
  giveBack(): void {
    for (const { pointer, length } of this.#lent) this.device.memory.free(pointer, length, 4096);
    this.#lent.length = 0;
  }
}
