// SPDX-License-Identifier: MIT
// What a block device is to the rest of sandblock: something that lists exports, opens them, and
// answers requests. A plugin instance and a host backend both look like this. A device lives on one
// reactor thread; all its methods are called from there and none may block.

import type { ExportEntry, ExportInfo } from "./export.ts";
import type { NodeMetrics } from "./metrics.ts";
import type { PayloadMemory } from "./memory.ts";
import type { Request } from "./request.ts";

/** How an export is opened. */
export interface OpenOptions {
  readOnly: boolean;
  /** Who asks, in words: `unix:pid=12,uid=0,gid=0`, `tcp:192.0.2.1:4321`, `fd:3`. */
  peer: string;
  /** NotYet may be thrown where something has to be read first. Else that is waited for. */
  mayDefer?: boolean;
}

/**
 * An export cannot be opened yet: what it is has to be found out first. To be asked for once more, with
 * the same options, when the device has worked on.
 */
export class NotYet extends Error {
  override readonly name = "NotYet";
}

/** A source of exports. */
export interface Device {
  /** Where the payloads of its requests lie. */
  readonly memory: PayloadMemory;
  /** Alignment that `ReplySpace.take` gives, a power of two from 1 to 4096. */
  readonly bufferAlignment: number;
  /** Descriptors that become readable when `reap` has work; none where the kernel is not involved. */
  readonly completionFds: readonly number[];
  /** `reap` has work from then on (performance.now()); Infinity for never, 0 for at once. */
  readonly nextMs: number;
  /** Whether something is under way that is not part of a client's request. */
  readonly busy: boolean;
  /** The exports there are now. Throws BlockError. */
  list(): ExportEntry[];
  /** The name that stands for the empty export name; null where there is none. */
  defaultExport(): string | null;
  /** A client comes, described by `peer`. Throws BlockError where it may not. */
  connect(peer: string): void;
  /** Opens an export. Throws BlockError: ENOENT for a name that does not exist; or NotYet. */
  open(name: string, options: OpenOptions): OpenExport;
  /** Finishes requests whose work is done (see Status.Pending). */
  reap(): void;
  /** Called at the end of each turn: hands queued work to the kernel. */
  submitQueued(): void;
  /**
   * Called before a request that may make something else of memory that answers lie in (trim, zeroes):
   * copies what of it is in answers that it has not delivered. Absent where none ever is.
   */
  settle?(): void;
  /**
   * Called again and again once no export is open and none will be: does what has to be done before
   * `close`. Returns -1 when that is all done, else a number that grows while it gets on.
   */
  finish(): number;
  /** Tells what it and what is below it counts; `node` is where it is in the graph: "0". */
  collectMetrics?(node: string, into: NodeMetrics[]): void;
  /** Releases everything. No request may be pending. */
  close(): void;
}

/** An export that a connection has open. */
export interface OpenExport {
  readonly info: ExportInfo;
  /**
   * Starts a request that `validate` (core/nbd) has accepted. Returns Status.Done, Status.Pending
   * or a positive errno. Never throws.
   */
  submit(request: Request): number;
  /**
   * Address where it keeps the `length` bytes at that offset, so that a payload can be received there;
   * 0 where that cannot be. What has been received is to be submitted as a write with this address
   * before anything else is.
   */
  place?(length: number, offsetHigh: number, offsetLow: number): number;
  /**
   * Called when the size in `info` has changed, perhaps from within a call of the device: nothing may
   * be asked of it then. Set by whoever stands on the export.
   */
  onResize?: (() => void) | null;
  /** What is open below it, in a graph. */
  readonly children?: readonly OpenExport[];
  /** Who answers a command where this one would only pass it on; absent: this one itself. */
  route?(command: number): OpenExport;
  /** Ends the use of the export. No request may be pending. */
  close(): void;
}
