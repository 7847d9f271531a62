// SPDX-License-Identifier: MIT
// Signals to a server: the first that says so stops it in good order, the second at once.

import { EXIT_FAILURE } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Leftovers } from "./leftovers.ts";

/** Signals that stop a server. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGQUIT" | "SIGHUP";

/** Listens for signals from its making on. */
export class StopSignals {
  /** Resolves with the first signal to stop. */
  readonly first: Promise<StopSignal>;

  /** What SIGHUP asks for, where there is something to reload. */
  reload: (() => void) | null = null;

  #resolve: (signal: StopSignal) => void;
  #stopping = false;
  readonly #leftovers: Leftovers;

  constructor(log: Log, leftovers: Leftovers) {
    const { promise, resolve } = Promise.withResolvers<StopSignal>();
    this.first = promise;
    this.#resolve = resolve;
    this.#leftovers = leftovers;
    for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
      Deno.addSignalListener(signal, () => this.#stop(signal));
    }
    // A write beyond the limit on file sizes then fails with EFBIG instead of ending the server.
    Deno.addSignalListener("SIGXFSZ", () => {});
    Deno.addSignalListener("SIGHUP", () => {
      // With a terminal it means that the terminal has gone; without one it is a wish to reload.
      if (Deno.stdin.isTerminal()) this.#stop("SIGHUP");
      else if (this.reload) this.reload();
      else log("info", "ignoring SIGHUP: there is nothing to reload");
    });
  }

  #stop(signal: StopSignal): void {
    if (this.#stopping) {
      this.#leftovers.removeAtOnce();
      Deno.exit(EXIT_FAILURE);
    }
    this.#stopping = true;
    this.#resolve(signal);
  }
}
