// SPDX-License-Identifier: MIT
// Requests that a plugin has no function for, made out of those it has: zeroes are written, what is
// to be cached is read. Both go step by step through one buffer in the plugin's memory.

import { Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { Request } from "../block/request.ts";
import { Expect } from "./answer.ts";
import type { Host } from "./host.ts";

/** One step at most, and at least as far as memory goes. */
const STEP_BYTES_MAX = 1024 * 1024;
const STEP_BYTES_MIN = 65536;
const BUFFER_ALIGNMENT = 4096;

const HIGH = 4294967296;

/** What emulation needs of an open export. */
export interface Emulation {
  readonly info: ExportInfo;
  readonly host: Host;
  read(request: Request, expect: number): number;
  write(request: Request, pointer: number, flags: number): number;
}

/** Writes zeroes where `request` says. `flags` are those of sb_pwrite. Returns 0 or an errno. */
export function writeZeroes(opened: Emulation, request: Request, flags: number): number {
  return inSteps(opened, request, (step, buffer) => {
    // Not trusting the plugin to have left the zeroes of the last step alone.
    opened.host.memory.bytes.fill(0, buffer, buffer + step.length);
    return opened.write(step, buffer, flags);
  });
}

/** Reads what `request` says, so that the plugin has it at hand, and forgets it. */
export function readAndForget(opened: Emulation, request: Request): number {
  return inSteps(opened, request, (step, buffer) => {
    opened.host.answer.scratch = buffer;
    return opened.read(step, Expect.DiscardedData);
  });
}

/**
 * Calls `run` with parts of `request` one after the other and a buffer that holds each. All of them
 * together may take as long as one call, since other requests wait meanwhile.
 */
function inSteps(
  opened: Emulation,
  request: Request,
  run: (step: Request, buffer: number) => number,
): number {
  const { memory, timeoutMs } = opened.host;
  let bytes = Math.min(STEP_BYTES_MAX, opened.info.blockSize.maximum, request.length);
  let buffer = memory.allocate(bytes, BUFFER_ALIGNMENT);
  if (buffer === 0 && bytes > STEP_BYTES_MIN) {
    bytes = STEP_BYTES_MIN;
    buffer = memory.allocate(bytes, BUFFER_ALIGNMENT);
  }
  if (buffer === 0) {
    request.errorText = `there is no memory in plugin "${opened.host.name}" for emulation`;
    return Errno.ENOMEM;
  }
  const deadline = performance.now() + timeoutMs;
  const step = new Request();
  step.space = request.space;
  let errno = 0;
  for (let done = 0; done < request.length && errno === 0; done += bytes) {
    if (done > 0 && performance.now() > deadline) {
      request.errorText = `emulation took longer than ${timeoutMs} ms`;
      errno = Errno.ETIMEDOUT;
      break;
    }
    place(step, request, done, Math.min(bytes, request.length - done));
    errno = run(step, buffer);
    if (errno !== 0) request.errorText = step.errorText;
  }
  memory.free(buffer, bytes, BUFFER_ALIGNMENT);
  return errno;
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
