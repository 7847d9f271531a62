// SPDX-License-Identifier: MIT
// The worker that a reactor runs in. Starting one takes as long as all that the main thread does
// before it needs it, so the first can be started ahead. This module imports nothing for that reason.

/** A worker that loads the program, and what it says when it has. */
export interface ReactorWorker {
  worker: Worker;
  /** Resolves when the first message may be sent. */
  listening: Promise<void>;
}

// In the executable all of sandblock is one module, which is also the worker's.
const workerUrl = import.meta.url.endsWith("/core/control/reactor_worker.ts")
  ? new URL("../reactor/entry.ts", import.meta.url).href
  : import.meta.url;

/** The executable starts one before it loads the program (native/selfrun/loader.ts). */
let ahead = (import.meta as { workerAhead?: ReactorWorker | null }).workerAhead ?? null;

/** Starts the worker that `takeWorker` will give next, unless there is one. */
export function startWorkerAhead(): void {
  ahead ??= startWorker(workerUrl);
}

/** A worker for one reactor: the one that was started ahead, or a new one. */
export function takeWorker(): ReactorWorker {
  const taken = ahead ?? startWorker(workerUrl);
  ahead = null;
  return taken;
}

/** Starts the program in a worker. The text of this function is part of the loader, too (build.ts). */
export function startWorker(url: string): ReactorWorker {
  const worker = new Worker(url, { type: "module", name: "reactor" });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  // A worker says that first.
  worker.addEventListener("message", () => resolve(), { once: true });
  return { worker, listening };
}
