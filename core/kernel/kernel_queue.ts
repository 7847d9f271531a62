// SPDX-License-Identifier: MIT
// What every queue of a device of the kernel does on its reactor, wherever its requests come from: has the
// export carry them out, under a policy, counted, and opens it anew when there is another one. This is a hot path.

import type { OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import { clears, type Request, type RequestSink, Status } from "../block/request.ts";
import type { Guard } from "../policy/guard.ts";
import type { DeviceContext } from "../reactor/device_context.ts";
import type { InflightRequest } from "../reactor/inflight_request.ts";
import type { PhaseHost, SourcePhase, SourceSurroundings } from "../reactor/phase.ts";
import { placeAnswer, type TagRequest } from "./tag_request.ts";

/** See the top of this file. */
export abstract class KernelQueue implements SourcePhase, RequestSink {
  abstract readonly eventFd: number;
  readonly exportName: string;
  readonly peer: string;
  readonly wantsInput = true;
  readonly wantsOutput = false;
  readonly holdsMemory = false;
  readonly watchedOnlyAsleep: boolean = false;
  guard: Guard | null = null;

  protected readonly context: DeviceContext;
  protected readonly host: PhaseHost;
  protected opened: OpenExport;
  /** Requests that the export works on. */
  protected inflight = 0;
  /** Nothing comes from the kernel any more, and it takes nothing. */
  protected isBroken = false;
  /** How to open the export anew; null unless that is to be done. */
  #open: (() => OpenExport) | null = null;

  /** Opens the export for `peer`. Throws BlockError. */
  constructor(peer: string, { context, host, open }: SourceSurroundings) {
    this.peer = peer;
    this.context = context;
    this.host = host;
    this.opened = open(peer);
    this.exportName = this.opened.info.name;
  }

  abstract turn(): number;
  abstract close(): void;

  /** Takes what came of a request that was pending: 0, or a positive errno. */
  protected abstract complete(request: Request, errno: number): void;

  pause(): void {}

  /** The kernel goes on until the device is removed there, which ends this. */
  drain(): void {}

  hangUp(): void {
    this.isBroken = true;
  }

  reopen(open: () => OpenExport): void {
    this.#open = open;
  }

  completed(request: Request, errno: number): void {
    this.inflight--;
    this.context.pending--;
    this.complete(request, errno);
    this.host.answered(this);
  }

  /** Whether no request is to be begun before the export is opened anew. */
  protected get awaitsExport(): boolean {
    return this.#open !== null;
  }

  /** Opens the export anew where that is to be done and nothing is under way; the old one stays if it fails. */
  protected openAnew(): void {
    const open = this.#open;
    if (open === null || this.inflight > 0) return;
    this.#open = null;
    try {
      const opened = open();
      this.opened.close();
      this.opened = opened;
    } catch (error) {
      this.host.log("error", `${this.exportName}: ${(error as Error).message}`);
    }
  }

  /** Has the export carry out what the policy allows: Status.Pending, 0, or a positive errno. */
  protected submit(request: TagRequest): number {
    const verdict = this.guard === null ? 0 : this.judge(this.guard, request);
    if (verdict !== 0) return verdict > 0 ? verdict : Errno.EIO;
    return this.submitUnjudged(request);
  }

  /** The same for a request that no policy is asked about. */
  protected submitUnjudged(request: InflightRequest): number {
    const { context } = this;
    if (clears(request.command)) this.settle();
    // Counted before, because a device may finish a request within the call.
    this.inflight++;
    context.pending++;
    const status = this.opened.submit(request);
    if (status === Status.Pending) return status;
    this.inflight--;
    context.pending--;
    return status;
  }

  /** What the policy says about a request. */
  protected judge(guard: Guard, request: TagRequest): number {
    return guard.check(request);
  }

  /** Before a request that may have a device make something else of memory that answers lie in. */
  protected settle(): void {
    this.context.settle();
  }

  /** Brings the answer to a read to where the kernel takes it from. 0, or a positive errno. */
  protected place(request: TagRequest): number {
    const errno = placeAnswer(request);
    if (errno !== 0 && request.errorText !== "") {
      this.host.log("error", `${this.exportName}: ${request.errorText}`);
    }
    return errno;
  }

  /** The kernel has what it was given of this answer. */
  protected releaseAnswer(request: TagRequest): void {
    const { arena } = this.context;
    for (let i = 0; i < request.answerBlockCount; i++) arena.release(request.answerBlocks[i]!);
    request.answerBlockCount = 0;
  }
}
