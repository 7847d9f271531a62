// SPDX-License-Identifier: MIT
// What the main thread and the reactors say to each other. Messages to a reactor go through a
// MessagePort and are announced on an eventfd, because a reactor runs no event loop.

import type { ExportInfo } from "../block/export.ts";
import type { DeviceOptions, InheritedConnection, Limits } from "../control/options.ts";
import type { Policy } from "../policy/loaded.ts";
import type { LogLevel } from "../plugin/instance.ts";
import type { Watch } from "../plugin/watch.ts";

/** How to reach another reactor. */
export interface ReactorAddress {
  port: MessagePort;
  /** Eventfd to signal after a message was posted. */
  wakeFd: number;
}

/** The first message to a reactor thread: all that it works with. */
export interface ReactorStart {
  index: number;
  /** Where messages to this reactor arrive: from the main thread, then from reactor 0. */
  inbox: MessagePort[];
  wakeFd: number;
  device: DeviceOptions;
  /** Deadlines of calls into plugins, one for each node that is one (graph/nodes.ts). */
  watches: Watch[];
  /** Listening sockets; only reactor 0 has any. */
  listeners: number[];
  /** Clients that are connected already; only reactor 0 gets any. */
  connections: InheritedConnection[];
  /** The other reactors, for reactor 0 to hand connections to. */
  others: ReactorAddress[];
  /** Connections per reactor: Int32Array, shared by all. */
  load: SharedArrayBuffer;
  exportName: string | undefined;
  readOnly: boolean;
  policy: Policy | null;
  busyPollUs: number | "auto";
  verbose: boolean;
  limits: Limits;
}

/** Later messages to a reactor. */
export type ReactorCommand =
  /** A connection that another reactor has accepted and counted. */
  | { kind: "connection"; fd: number; peer: string }
  /** Decide about requests by this from now on. */
  | { kind: "policy"; policy: Policy }
  /** Answered by the report with the same `id`. */
  | { kind: "ask"; id: number; question: ReactorQuestion }
  /** Stop: finish what is under way, refuse what is new. */
  | { kind: "drain" };

/** What the main thread may ask a reactor for. */
export type ReactorQuestion =
  /** ExportInfo of an export; "" is the default export. */
  | { kind: "export"; name: string }
  /** Serve a client that is connected already. */
  | { kind: "connect"; connection: InheritedConnection };

/** Messages from a reactor to the main thread. */
export type ReactorReport =
  /** The thread listens: ReactorStart may be sent. */
  | { kind: "listening" }
  | { kind: "started" }
  /** The device cannot be used; the thread ends. */
  | { kind: "failed"; message: string }
  | { kind: "log"; level: LogLevel; text: string }
  /** The last connection of this reactor has gone. */
  | { kind: "idle" }
  /** Clients are served, and the device gets on with what it had put off. */
  | { kind: "finishing" }
  /** To a question: `error` is null, or says why not. */
  | { kind: "answer"; id: number; info: ExportInfo | null; error: string | null }
  /** Everything is closed; the thread ends. */
  | { kind: "ended" };
