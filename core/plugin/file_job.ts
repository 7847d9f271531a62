// SPDX-License-Identifier: MIT
// One call of a plugin on a file that it has open. Pooled: at rest nothing is allocated.

import type { PluginMemory } from "./memory.ts";

/** What a job does. */
export const FileJobKind = { Read: 0, Write: 1, Sync: 2, Zero: 3 } as const;

/** Who is told when a job is finished that was pending. */
export interface FileJobSink {
  /** `errno` is 0 or positive; `job.errorText` may say more. The job is its pool's again. */
  finished(job: FileJob, errno: number): void;
}

/** See the top of this file. */
export class FileJob {
  kind = 0;
  /** Where the bytes lie, or shall; held so that it stays while the system works on it. */
  memory: PluginMemory | null = null;
  address = 0;
  /** Beyond 32 bits only for Zero. */
  lengthHigh = 0;
  lengthLow = 0;
  offsetHigh = 0;
  offsetLow = 0;
  /** Write: on stable storage when it is done. */
  fua = false;
  /** Zero: may become a hole. */
  mayTrim = false;
  errorText = "";

  /** What the plugin calls it, and whether anybody wants to know of its end. */
  token = 0;
  told = false;
  owner: unknown = null;
  sink!: FileJobSink;
}

/** Lends jobs. */
export class FileJobPool {
  readonly #idle: FileJob[] = [];

  take(): FileJob {
    return this.#idle.pop() ?? new FileJob();
  }

  give(job: FileJob): void {
    job.memory = null;
    job.owner = null;
    job.errorText = "";
    this.#idle.push(job);
  }
}
