// SPDX-License-Identifier: MIT
// What the main thread and the reactors say to each other. Each message to a reactor is announced on an
// eventfd, because a reactor at work runs no event loop.

import type { ExportInfo } from "../block/export.ts";
import type { NodeMetrics } from "../block/metrics.ts";
import type {
  BdusQueueOptions,
  DeviceOptions,
  InheritedConnection,
  Limits,
  UblkQueueOptions,
} from "../control/options.ts";
import type { NegotiationProgress } from "../nbd/negotiation.ts";
import type { GraphView } from "../graph/describe.ts";
import type { Policy } from "../policy/loaded.ts";
import type { LogLevel } from "../plugin/instance.ts";
import type { Watch } from "../plugin/watch.ts";

/** How to reach another reactor. */
export interface ReactorAddress {
  port: MessagePort;
  /** Eventfd to signal after a message was posted. */
  wakeFd: number;
}

/** A device that a reactor serves. */
export interface DeviceStart {
  device: DeviceOptions;
  /** Deadlines of calls into plugins, one for each node that is one (graph/nodes.ts). */
  watches: Watch[];
  /** How many devices of this kind serve the same exports. */
  instances: number;
  /** What clients call its default export; undefined: as the device does. */
  exportName: string | undefined;
  readOnly: boolean;
  policy: Policy | null;
  /** Whether requests are counted and timed (profile.ts). */
  profile: boolean;
}

/** The exports of a server of several devices, which clients know by names of the server's. */
export interface NamedExports {
  /** `place` is the number of the reactor that serves it. */
  list: { name: string; description: string; place: number }[];
  /** The one that the empty name stands for; null where there is none. */
  default: string | null;
}

/** The first message to a reactor thread: all that it works with. */
export interface ReactorStart {
  index: number;
  /** Where messages from reactor 0 arrive; those of the main thread are the thread's own. */
  inbox: MessagePort[];
  wakeFd: number;
  /** What it serves itself. */
  devices: DeviceStart[];
  /** All there is, wherever it is served; null where the one device names its exports itself. */
  exports: NamedExports | null;
  /** Listening sockets; only reactor 0 has any. */
  listeners: number[];
  /** Clients that are connected already; only reactor 0 gets any. */
  connections: InheritedConnection[];
  /** The other reactors, for reactor 0 to hand connections to. */
  others: ReactorAddress[];
  /** Connections per reactor: Int32Array, shared by all. */
  load: SharedArrayBuffer;
  /** How many threads only get what others leave of the processors: Int32Array of one, see LongCalls. */
  longCalls: SharedArrayBuffer;
  busyPollUs: number | "auto";
  verbose: boolean;
  limits: Limits;
}

/** Later messages to a reactor. */
export type ReactorCommand =
  /** A connection that another reactor has accepted and counted. */
  | { kind: "connection"; fd: number; peer: string }
  /** A client that has begun its handshake at another reactor and is counted here. */
  | { kind: "handshake"; client: MovingClient }
  /** Decide about requests by this from now on; `exportName` is that of DeviceStart. */
  | { kind: "policy"; exportName: string | undefined; policy: Policy | null }
  /** Answered by the report with the same `id`. */
  | { kind: "ask"; id: number; question: ReactorQuestion }
  /** Stop: finish what is under way, refuse what is new. */
  | { kind: "drain" };

/** What the main thread may ask a reactor for. */
export type ReactorQuestion =
  /** ExportInfo of an export; "" is the default export. */
  | { kind: "export"; name: string }
  /** The nodes of an export; "" is the default export, or the first where there is none. */
  | { kind: "graph"; name: string }
  /** Let go of all clients: what they have not been told, they are not told any more. */
  | { kind: "abandon" }
  /** Have all clients of an export use it as it is now. */
  | { kind: "reopen"; name: string }
  /** Serve a client that is connected already. */
  | { kind: "connect"; connection: InheritedConnection }
  /** Serve a queue of a ublk device. */
  | { kind: "ublk"; queue: UblkQueueOptions }
  /** Serve requests of a BDUS device. */
  | { kind: "bdus"; queue: BdusQueueOptions }
  /** What its devices count, in the order of ReactorStart. */
  | { kind: "metrics" };

/** What each question is answered with. */
export interface ReactorAnswers {
  export: ExportInfo;
  graph: GraphView;
  abandon: null;
  reopen: null;
  connect: null;
  ublk: null;
  bdus: null;
  metrics: NodeMetrics[][];
}

/** A client whose handshake goes on at another reactor. */
export interface MovingClient {
  inputFd: number;
  outputFd: number;
  peer: string;
  /** Time that is left for the handshake. */
  leftMs: number;
  progress: NegotiationProgress;
  /** Bytes that were received and not taken. */
  received: Uint8Array;
}

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
  /** The client is to go on at reactor `place`, where it is counted already. */
  | { kind: "move"; place: number; client: MovingClient }
  /** Clients are served, and the device gets on with what it had put off. */
  | { kind: "finishing" }
  /** To a question: `error` is null, or says why not. */
  | { kind: "answer"; id: number; answer: unknown; error: string | null }
  /** Everything is closed; the thread ends. */
  | { kind: "ended" };
