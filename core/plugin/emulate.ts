// SPDX-License-Identifier: MIT
// Requests that a plugin has no function for, made out of those it has: zeroes are written, what is
// to be cached is read. Both go step by step through one buffer in the plugin's memory.

import { Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { Command, Request, type RequestSink, Status } from "../block/request.ts";
import { Expect } from "./answer_pieces.ts";
import type { Host } from "./host.ts";

/** One step at most, and at least as far as memory goes. */
const STEP_BYTES_MAX = 1024 * 1024;
const STEP_BYTES_MIN = 65536;
const BUFFER_ALIGNMENT = 4096;

const HIGH = 4294967296;

/** What emulation needs of an open export. */
export interface Emulation extends RequestSink {
  readonly info: ExportInfo;
  readonly host: Host;
  read(request: Request, expect: number, scratch: number): number;
  write(request: Request, flags: number): number;
}

/**
 * Writes zeroes where `request` says. `flags` are those of sb_pwrite. Returns 0, an errno, or
 * Status.Pending: then `opened` is told when it is completed.
 */
export function writeZeroes(opened: Emulation, request: Request, flags: number): number {
  return new Steps(opened, request, flags).start();
}

/** Reads what `request` says, so that the plugin has it at hand, and forgets it. As writeZeroes. */
export function readAndForget(opened: Emulation, request: Request): number {
  return new Steps(opened, request, 0).start();
}

/**
 * One request in steps, one after the other, and a buffer that holds each. All that are done without
 * waiting may together take as long as one call, since other requests wait meanwhile.
 */
class Steps implements RequestSink {
  readonly #opened: Emulation;
  readonly #request: Request;
  readonly #flags: number;
  readonly #step = new Request();
  #bytes = 0;
  #buffer = 0;
  #done = 0;
  #deadlineMs = 0;

  constructor(opened: Emulation, request: Request, flags: number) {
    this.#opened = opened;
    this.#request = request;
    this.#flags = flags;
    this.#step.space = request.space;
    this.#step.root = request.root;
    this.#step.sink = this;
  }

  start(): number {
    const { host, info } = this.#opened;
    const { emulationMemory: memory } = host;
    this.#bytes = Math.min(STEP_BYTES_MAX, info.blockSize.maximum, this.#request.length);
    this.#buffer = memory.allocate(this.#bytes, BUFFER_ALIGNMENT);
    if (this.#buffer === 0 && this.#bytes > STEP_BYTES_MIN) {
      this.#bytes = STEP_BYTES_MIN;
      this.#buffer = memory.allocate(this.#bytes, BUFFER_ALIGNMENT);
    }
    if (this.#buffer === 0) {
      this.#request.errorText = `there is no memory in plugin "${host.name}" for emulation`;
      return Errno.ENOMEM;
    }
    return this.#go(0);
  }

  /** A step that was pending has ended. */
  completed(_step: Request, errno: number): void {
    this.#done += this.#step.length;
    const status = this.#go(errno);
    if (status !== Status.Pending) this.#opened.completed(this.#request, status);
  }

  /** Does what is left, unless the last step has failed with `errno`. */
  #go(errno: number): number {
    const request = this.#request;
    const step = this.#step;
    const { emulationMemory: memory, timeoutMs } = this.#opened.host;
    this.#deadlineMs = performance.now() + timeoutMs;
    let status = errno;
    for (let first = true; status === 0 && this.#done < request.length; first = false) {
      if (!first && performance.now() > this.#deadlineMs) {
        step.errorText = `emulation took longer than ${timeoutMs} ms`;
        status = Errno.ETIMEDOUT;
        break;
      }
      place(step, request, this.#done, Math.min(this.#bytes, request.length - this.#done));
      status = this.#run();
      if (status === Status.Pending) return status;
      this.#done += step.length;
    }
    if (status !== 0) request.errorText = step.errorText;
    memory.free(this.#buffer, this.#bytes, BUFFER_ALIGNMENT);
    return status;
  }

  #run(): number {
    const step = this.#step;
    const buffer = this.#buffer;
    const { emulationMemory: memory } = this.#opened.host;
    if (step.command === Command.Cache) {
      step.command = Command.Read;
      return this.#opened.read(step, Expect.DiscardedData, buffer);
    }
    // Not trusting the plugin to have left the zeroes of the last step alone.
    memory.bytes.fill(0, buffer, buffer + step.length);
    step.command = Command.Write;
    step.payload = memory.address + buffer;
    return this.#opened.write(step, this.#flags);
  }
}

/** Makes `step` the `length` bytes of `request` after the first `done`. */
function place(step: Request, request: Request, done: number, length: number): void {
  step.clear();
  step.command = request.command;
  step.flags = request.flags;
  const low = request.offsetLow + (done % HIGH);
  step.offsetLow = low % HIGH;
  step.offsetHigh = request.offsetHigh + Math.floor(done / HIGH) + Math.floor(low / HIGH);
  step.lengthHigh = 0;
  step.lengthLow = length;
}
