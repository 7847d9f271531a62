// SPDX-License-Identifier: MIT
// What the reactor sees of a connection, in the handshake and in transmission alike.

import type { OpenExport } from "../block/device.ts";
import type { Guard } from "../policy/guard.ts";
import type { DeviceContext } from "./device_context.ts";

/** What came of a turn. */
export const Turn = {
  /** Nothing to do: nothing came, or what there is has to wait. */
  Idle: 0,
  /** Something was done; another turn may find more. */
  Worked: 1,
  /** The connection is over and everything under way is finished. */
  Closed: 2,
  /** It cannot go on before others give memory back. */
  Starved: 3,
  /** The handshake is over (only from a handshake). */
  Agreed: 4,
  /** The handshake goes on at another reactor (only from a handshake). */
  Moved: 5,
  /** It cannot go on before the device has worked on (only from a handshake). */
  Deferred: 6,
} as const;

/** One of the two lives of a connection. */
export interface Phase {
  /** Whether to wake it when there is input. */
  readonly wantsInput: boolean;
  /** Whether to wake it when output has room. */
  readonly wantsOutput: boolean;
  /** Whether it keeps memory of the device while it waits for its client. */
  readonly holdsMemory: boolean;
  /** Whether turns see all that there is, and whoever brings it does more for one that is watched. */
  readonly watchedOnlyAsleep: boolean;
  /** Does what can be done without waiting. Returns one of Turn. */
  turn(): number;
  /** The client pauses: keep as little memory as possible. */
  pause(): void;
  /** The server stops: refuse what is new, finish what is under way. */
  drain(): void;
  /** Both directions of the socket are gone. */
  hangUp(): void;
  /** Releases everything. Nothing may be under way. */
  close(): void;
}

/** A phase that serves requests. */
export interface ServingPhase extends Phase {
  readonly exportName: string;
  /** Decides which requests are carried out; null: all. */
  guard: Guard | null;
  /** Opens its export anew, with `open`, as soon as nothing is under way in it. */
  reopen(open: () => OpenExport): void;
}

/** What a phase tells about itself. */
export interface PhaseHost {
  /** A request was finished outside of a turn: there is something to hand on. */
  answered(phase: Phase): void;
  log(level: "error" | "debug", text: string): void;
}

/** A phase that has no socket: where its requests come from is its own business. */
export interface SourcePhase extends ServingPhase {
  /** Readable when a turn finds something. Closed by the reactor, after `close`. */
  readonly eventFd: number;
  /** Where the requests come from, in words. */
  readonly peer: string;
}

/** What such a phase works with. */
export interface SourceSurroundings {
  context: DeviceContext;
  host: PhaseHost;
  /** Opens the export for `peer`. Throws BlockError. */
  open(peer: string): OpenExport;
}
