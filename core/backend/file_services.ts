// SPDX-License-Identifier: MIT
// What all exports of a file device share.

import type { LogLevel } from "../plugin/instance.ts";
import { coarseMs } from "../../native/file_data.ts";
import type { HostMemory } from "./host_memory.ts";
import type { OperationPool, OperationQueue } from "./operation.ts";

/** Errors of a disk are logged at most so often, for a broken one has many. */
const REPORT_INTERVAL_MS = 1000;

/** See the top of this file. */
export class FileServices {
  #reportedMs = coarseMs() - REPORT_INTERVAL_MS;
  #unreported = 0;

  constructor(
    readonly memory: HostMemory,
    readonly queue: OperationQueue,
    readonly operations: OperationPool,
    /** Memory that is all zeroes, to write from. */
    readonly zeroes: { address: number; length: number },
    readonly log: (level: LogLevel, text: string) => void,
  ) {}

  /** Logs an error of a disk, unless there was one just now. */
  report(text: string): void {
    const now = coarseMs();
    if ((now - this.#reportedMs) >>> 0 < REPORT_INTERVAL_MS) {
      this.#unreported++;
      return;
    }
    const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more errors before)`;
    this.#reportedMs = now;
    this.#unreported = 0;
    this.log("error", text + more);
  }
}
