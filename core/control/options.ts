// SPDX-License-Identifier: MIT
// What a server is started with: a device, where to listen, limits. Plain data, so that it can be
// handed to the reactor threads as it is; the command line and an embedding program both fill it in.

import type { ExportInfo } from "../block/export.ts";
import type { ServerMetrics } from "./metrics_text.ts";
import type { GraphView } from "../graph/describe.ts";
import type { Policy } from "../policy/loaded.ts";
import type { Grants } from "../plugin/grants.ts";
import type { ParameterValue } from "../plugin/parameters.ts";
import type { RestartPolicy } from "../plugin/restart_policy.ts";
import type { PreparedPlugin } from "../plugin/prepare.ts";

/** What stands behind the exports. */
export type DeviceOptions =
  /** A plugin, or a filter above `children`. */
  | {
    kind: "plugin";
    prepared: PreparedPlugin;
    values: ParameterValue[];
    /** What it is allowed beyond its own memory; nothing when absent. */
    grants?: Grants;
    /** What becomes of it when it traps or takes too long; "fail" when absent. */
    restart?: RestartPolicy;
    /** How long one call may take; Limits.pluginTimeoutMs when absent. */
    timeoutMs?: number;
    children?: DeviceOptions[];
  }
  | { kind: "file"; values: ParameterValue[] };

/** Where to accept connections. */
export type ListenAddress =
  /** `host` is a numeric address; port 0 lets the system choose. An IPv6 socket takes IPv6 only. */
  | { kind: "tcp"; host: string; port: number }
  /** A path, or `@name` in the abstract namespace. The file is removed when the server stops. */
  | { kind: "unix"; path: string }
  /** A listening socket that was inherited. */
  | { kind: "fd"; fd: number };

/** A client that is connected already: inetd, `-s`, `--fd`. */
export interface InheritedConnection {
  inputFd: number;
  outputFd: number;
  /** Set when the handshake is over: what client and server have agreed elsewhere. */
  transmission?: TransmissionOptions;
}

/** The agreed state of a connection that needs no handshake. */
export interface TransmissionOptions {
  exportName: string;
  /** Bytes; must equal the size of the export. */
  size: bigint;
  /** NBD transmission flags; may only name what the export offers. */
  flags: number;
  replies: "simple" | "structured" | "extended";
}

/** A queue of a ublk device (docs/kernel.md) that a reactor is to serve. */
export interface UblkQueueOptions {
  /** /dev/ublkcN, which can only be opened once: a copy for each queue. The reactor closes it. */
  fd: number;
  /** Number of the device: /dev/ublkcN. */
  device: number;
  queue: number;
  /** Requests that the kernel has under way in it at the most. */
  depth: number;
  /** Largest request with data. */
  requestBytesMax: number;
  /** The device has zones; data is copied by the process then. */
  zoned: boolean;
  exportName: string;
}

/** Requests of a BDUS device (docs/kernel.md) that a reactor is to serve. */
export interface BdusQueueOptions {
  /**
   * With rings the file of a queue, otherwise the control device, which does not make anybody wait. The
   * reactor closes it.
   */
  fd: number;
  rings: boolean;
  /** Number of the device: /dev/bdus-N. */
  device: number;
  queue: number;
  /** Requests that the kernel has under way at the most. */
  depth: number;
  /** Largest request with data. */
  requestBytesMax: number;
  /** Bit of the number of an ioctl by which a client gives its argument. */
  ioctlGives: number;
  exportName: string;
}

/** Bounds of a server. Every one is settable. */
export interface Limits {
  /** Connections at a time; further ones wait in the kernel's queue. */
  connectionsMax: number;
  /** A connection that has not finished its handshake by then is closed. */
  handshakeTimeoutMs: number;
  /** Options that one client may send. */
  optionsMax: number;
  /** Bytes of requests and of answers in memory, per device and reactor. */
  inflightBytesMax: number;
  /** Requests that one connection may have under way; its socket is not read beyond that. */
  inflightRequestsMax: number;
  /** One call into a plugin may take so long. */
  pluginTimeoutMs: number;
  /** In-flight requests get so long when the server stops. */
  drainTimeoutMs: number;
}

export const LIMITS_DEFAULT: Limits = {
  connectionsMax: 10_000,
  handshakeTimeoutMs: 60_000,
  optionsMax: 1024,
  inflightBytesMax: 128 * 1024 * 1024,
  inflightRequestsMax: 1024,
  pluginTimeoutMs: 10_000,
  drainTimeoutMs: 10_000,
};

/** A server of one device and all its exports. */
export interface DeviceOffer {
  device: DeviceOptions;
  /** When set, the default export of the device is known to clients by this name. */
  exportName?: string;
  readOnly: boolean;
  /** Asked about each request; absent or null: everything is allowed. */
  policy?: Policy | null;
}

/** A server of several devices, each with its default export under a name of the server's. */
export interface ExportsOffer {
  /** At least one; names differ and have at most 4096 bytes. */
  exports: ExportOffer[];
  /** The one that the empty name stands for; null where there is none. */
  defaultExport: string | null;
}

/** One of them. */
export interface ExportOffer {
  name: string;
  description: string;
  device: DeviceOptions;
  readOnly: boolean;
  policy?: Policy | null;
}

/** All that a server needs to know. */
export type ServerOptions = ServerSettings & (DeviceOffer | ExportsOffer);

/** How a server serves, whatever it serves. */
export interface ServerSettings {
  listen: ListenAddress[];
  connections: InheritedConnection[];
  /** Threads for a parallel device, or for the exports to share (placement.ts). */
  threads: number | "auto";
  /** Microseconds to poll before sleeping; "auto" adapts, 0 never polls. */
  busyPollUs: number | "auto";
  /** Stop when the last of at least one connection has gone. */
  exitWithLastClient: boolean;
  /** Whether requests are counted and timed, for `metrics`. Not unless given. */
  profile?: boolean;
  verbose: boolean;
  limits: Limits;
}

/** A running server, as its owner sees it. */
export interface Server {
  /** One NBD URI per listener, with the port that was really bound. */
  readonly uris: string[];
  /** What a client of an export would be told; "" is the default one. Rejects where it is refused. */
  describe(exportName: string): Promise<ExportInfo>;
  /** The nodes of an export and what each can do; "" is the default one, or the first. */
  graph(exportName: string): Promise<GraphView>;
  /** Serves a client that is connected already, as those of ServerOptions. Rejects where it cannot. */
  connect(connection: InheritedConnection): Promise<void>;
  /**
   * Lets go of all clients without answers to what is under way, so that somebody else can give
   * them. `stop` is to follow.
   */
  abandon(): Promise<void>;
  /** Goes on without clients from now on, until `stop`. */
  outliveClients(): void;
  /** Clients that are connected, also those that are gone while something of theirs is under way. */
  clients(): number;
  /** Has all clients of an export use it as it is now, with another size perhaps. */
  reopen(exportName: string): Promise<void>;
  /** Serves requests that the kernel passes on through ublk. Rejects where it cannot. */
  serveUblk(queue: UblkQueueOptions): Promise<void>;
  /** The same for requests of the module bdus. */
  serveBdus(queue: BdusQueueOptions): Promise<void>;
  /** What devices count; without those that do not answer within a second. */
  metrics(): Promise<ServerMetrics>;
  /**
   * Decides about requests from now on, also those of clients that are connected; in a server of
   * several devices about those of the export `name`. Null allows everything.
   */
  usePolicy(policy: Policy | null, name?: string): void;
  /** Finishes what is under way, closes connections, removes socket files. Resolves when all is done. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, by `stop` or on its own accord (last client, -s at its end). */
  readonly ended: Promise<void>;
}
