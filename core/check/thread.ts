// SPDX-License-Identifier: MIT
// Checks a plugin on a thread of its own, so that this one can end calls that take too long.

import { Watchdog } from "../plugin/watch.ts";
import { CHECK_THREAD, type CheckMessage } from "./messages.ts";
import type { CheckReport, CheckResult } from "./report.ts";
import { type CheckOptions, WATCHES_MAX } from "./subject.ts";

// In the executable all of sandblock is one module, which is also the worker's.
const workerUrl = import.meta.url.endsWith("/core/check/thread.ts")
  ? new URL("entry.ts", import.meta.url).href
  : import.meta.url;

/** What is asked for, and how long one call into the plugin may take. */
export interface ThreadOptions extends Omit<CheckOptions, "watches"> {
  timeoutMs: number;
}

/** Runs all checks. `told` hears of each result as it comes. Rejects where they cannot be run. */
export async function checkPlugin(
  options: ThreadOptions,
  told: (result: CheckResult) => void,
): Promise<CheckReport> {
  const { timeoutMs, ...rest } = options;
  const watchdog = new Watchdog();
  const watches = Array.from({ length: WATCHES_MAX }, () => watchdog.watch(timeoutMs));
  const worker = new Worker(workerUrl, { type: "module", name: CHECK_THREAD });
  const { promise, resolve, reject } = Promise.withResolvers<CheckReport>();
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`the check itself has failed: ${event.message}`));
  };
  worker.onmessage = ({ data }: MessageEvent<CheckMessage>) => {
    if (data.kind === "listening") worker.postMessage({ ...rest, watches });
    else if (data.kind === "result") told(data.result);
    else if (data.kind === "report") resolve(data.report);
    else reject(new Error(data.message));
  };
  try {
    return await promise;
  } finally {
    watchdog.stop();
    worker.terminate();
  }
}
