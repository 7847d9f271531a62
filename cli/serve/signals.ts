// SPDX-License-Identifier: MIT
// Signals to a server: the first that says so stops it in good order, the second at once.

import { EXIT_FAILURE } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Leftovers } from "./leftovers.ts";

/** How long after SIGHUP a terminal may go that it was about. */
const HANG_UP_MS = 1000;

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
  /** Standard input is a terminal, or was one until that went away. */
  readonly #hasTerminal = Deno.stdin.isTerminal();
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
    Deno.addSignalListener("SIGHUP", () => this.#hangUp(log));
  }

  /** The terminal has gone, or somebody wishes that files are read again. */
  #hangUp(log: Log): void {
    if (this.#stopIfHungUp()) return;
    if (this.reload) this.reload();
    // Nobody else sends it to a program on a terminal that has no use for it.
    else if (this.#hasTerminal) return this.#stopOnce("SIGHUP");
    else log("info", "ignoring SIGHUP: there is nothing to reload");
    if (!this.#hasTerminal) return;
    // Some shells and terminals send it just before the terminal goes.
    Deno.unrefTimer(setTimeout(() => this.#stopIfHungUp(), HANG_UP_MS));
  }

  /** A terminal that has gone is none any more. */
  #stopIfHungUp(): boolean {
    if (!this.#hasTerminal || Deno.stdin.isTerminal()) return false;
    this.#stopOnce("SIGHUP");
    return true;
  }

  /** Several processes may tell of the same terminal, so a second time means nothing more. */
  #stopOnce(signal: StopSignal): void {
    if (!this.#stopping) this.#stop(signal);
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
