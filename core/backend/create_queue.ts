// SPDX-License-Identifier: MIT
// Chooses how operations that wait for the disk are done: by io_uring where the kernel has it.

import { BlockError } from "../block/errno.ts";
import type { LogLevel } from "../plugin/instance.ts";
import { BlockingQueue } from "./blocking_queue.ts";
import type { OperationQueue } from "./operation.ts";
import { UringQueue } from "./uring_queue.ts";

/** A queue. `ioUring: false` waits in system calls even where the kernel has io_uring. */
export function createQueue(
  options: { log(level: LogLevel, text: string): void; ioUring?: boolean },
): OperationQueue {
  if (options.ioUring === false) return new BlockingQueue();
  try {
    const queue = new UringQueue();
    if (queue.complete) return queue;
    queue.close();
    options.log(
      "warning",
      "io_uring of this kernel is too old: requests wait for the disk in turn",
    );
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    options.log("warning", `${error.message}: requests wait for the disk in turn`);
  }
  return new BlockingQueue();
}
