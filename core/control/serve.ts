// SPDX-License-Identifier: MIT
// Starts a server: listeners, watchdog and reactor threads; and ends it in order.

import type { GraphView } from "../graph/describe.ts";
import { mayBeZoned, pluginNodes, watchCount } from "../graph/nodes.ts";
import { Watchdog } from "../plugin/watch.ts";
import type { Policy } from "../policy/loaded.ts";
import type { MovingClient, ReactorStart } from "../reactor/messages.ts";
import { zoneRefusal } from "../reactor/unzoned_directory.ts";
import { closeListener, type Listener, listenerUri, openListeners } from "./listeners.ts";
import type { ExportInfo } from "../block/export.ts";
import type { ServerMetrics } from "./metrics_text.ts";
import type {
  BdusQueueOptions,
  InheritedConnection,
  Server,
  ServerOptions,
  UblkQueueOptions,
} from "./options.ts";
import { LongCalls } from "./long_calls.ts";
import { placeDevices, type Placement } from "./placement.ts";
import { createHandOver, ReactorThread } from "./reactor_thread.ts";

/** Beyond the time to drain, a thread that does not end is given up after so long. */
const END_GRACE_MS = 2000;

/** A reactor whose plugin is in a long call is not waited for longer. */
const METRICS_PATIENCE_MS = 1000;

/** Takes lines that are worth telling. */
export type Log = (level: "error" | "warning" | "info" | "debug", text: string) => void;

/** Starts a server. Resolves when it is ready for clients; rejects with one clear sentence. */
export async function startServer(
  options: ServerOptions,
  log: Log = (level, text) => console.error(`${level}: ${text}`),
): Promise<Server> {
  const listeners = openListeners(options.listen);
  const server = new RunningServer(options, listeners, log);
  try {
    await server.started;
    return server;
  } catch (error) {
    server.giveUp();
    for (const listener of listeners) closeListener(listener);
    throw error;
  }
}

/** An answer of a reactor; none where it does not come in time or at all. */
async function withinPatience<T>(answer: Promise<T[]>): Promise<T[]> {
  let timer;
  const nothing = new Promise<T[]>((resolve) => {
    timer = setTimeout(() => resolve([]), METRICS_PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, nothing]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

class RunningServer implements Server {
  readonly uris: string[];
  readonly started: Promise<void>;
  readonly ended: Promise<void>;

  readonly #options: ServerOptions;
  readonly #listeners: Listener[];
  readonly #reactors: ReactorThread[];
  readonly #longCalls = new LongCalls();
  readonly #watchdog = new Watchdog({ longCalls: this.#longCalls });
  readonly #load: Int32Array<SharedArrayBuffer>;
  readonly #placement: Placement;
  #stopping = false;
  #outlivesClients = false;
  #patienceEndMs = 0;

  constructor(options: ServerOptions, listeners: Listener[], log: Log) {
    this.#options = options;
    this.#listeners = listeners;
    this.#placement = placeDevices(options);
    const name = "exports" in options ? options.defaultExport : options.exportName;
    this.uris = listeners.map((listener) => listenerUri(listener, name ?? ""));
    const count = this.#placement.reactors.length;
    this.#load = new Int32Array(new SharedArrayBuffer(4 * count));
    this.#reactors = this.#makeReactors(log);
    this.started = this.#begin();
    this.ended = Promise.all(this.#reactors.map((reactor) => reactor.ended))
      .then(() => {}).finally(() => this.#cleanUp());
    this.ended.catch(() => {});
  }

  async describe(exportName: string): Promise<ExportInfo> {
    const reactor = this.#reactors[this.#placeOf(exportName)]!;
    return await reactor.ask({ kind: "export", name: exportName });
  }

  async graph(exportName: string): Promise<GraphView> {
    const reactor = this.#reactors[this.#placeOf(exportName)]!;
    return await reactor.ask({ kind: "graph", name: exportName });
  }

  async connect(connection: InheritedConnection): Promise<void> {
    const name = connection.transmission?.exportName;
    const place = name === undefined ? 0 : this.#placeOf(name);
    await this.#reactors[place]!.ask({ kind: "connect", connection });
  }

  async abandon(): Promise<void> {
    await Promise.all(this.#reactors.map((reactor) => reactor.ask({ kind: "abandon" })));
  }

  outliveClients(): void {
    this.#outlivesClients = true;
  }

  clients(): number {
    return this.#load.reduce((sum, _, i) => sum + Atomics.load(this.#load, i), 0);
  }

  async reopen(exportName: string): Promise<void> {
    // Each reactor of a parallel device has opened it for itself.
    const reactors = this.#placement.exports === null
      ? this.#reactors
      : [this.#reactors[this.#placeOf(exportName)]!];
    await Promise.all(reactors.map((one) => one.ask({ kind: "reopen", name: exportName })));
  }

  async serveUblk(queue: UblkQueueOptions): Promise<void> {
    await (await this.#reactorOf(queue)).ask({ kind: "ublk", queue });
  }

  async serveBdus(queue: BdusQueueOptions): Promise<void> {
    await (await this.#reactorOf(queue)).ask({ kind: "bdus", queue });
  }

  async metrics(): Promise<ServerMetrics> {
    const asked = this.#reactors.map((reactor) => withinPatience(reactor.ask({ kind: "metrics" })));
    const answers = await Promise.all(asked);
    const devices = answers.flatMap((answer, reactor) =>
      answer.map((nodes, index) => {
        const { exportName = "" } = this.#placement.reactors[reactor]![index]!;
        return { reactor, export: exportName, nodes };
      })
    );
    return { connections: [...this.#load], devices };
  }

  usePolicy(policy: Policy | null, name?: string): void {
    const options = this.#options;
    const exportName = "exports" in options ? name : options.exportName;
    for (const reactor of this.#reactors) reactor.send({ kind: "policy", exportName, policy });
  }

  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      for (const reactor of this.#reactors) reactor.drain();
    }
    this.#extendPatience();
    let ended = false;
    while (!ended && performance.now() < this.#patienceEndMs) {
      let timer;
      const leftMs = this.#patienceEndMs - performance.now();
      const patience = new Promise<false>((resolve) => {
        timer = setTimeout(() => resolve(false), leftMs);
      });
      ended = await Promise.race([this.ended.then(() => true), patience]);
      clearTimeout(timer);
    }
    this.#cleanUp();
  }

  /** Ends what there is of a server that could not start. */
  giveUp(): void {
    for (const reactor of this.#reactors) reactor.terminate();
    this.#watchdog.stop();
  }

  /** Reactors that get on with what devices had put off have more time to end. */
  #extendPatience(): void {
    this.#patienceEndMs = performance.now() + this.#options.limits.drainTimeoutMs + END_GRACE_MS;
  }

  /** Number of the reactor that serves an export; of any, where none does. */
  #placeOf(exportName: string): number {
    const { exports } = this.#placement;
    const name = exportName === "" ? exports?.default : exportName;
    return exports?.list.find((one) => one.name === name)?.place ?? 0;
  }

  /** The reactor for a queue, once it works: those of a parallel device are spread over its reactors. */
  async #reactorOf({ queue, exportName }: UblkQueueOptions | BdusQueueOptions) {
    const place = this.#placement.exports === null
      ? queue % this.#reactors.length
      : this.#placeOf(exportName);
    const reactor = this.#reactors[place]!;
    await reactor.started;
    return reactor;
  }

  #makeReactors(log: Log): ReactorThread[] {
    const events = {
      log,
      idle: () => this.#idle(),
      finishing: () => this.#extendPatience(),
      move: (place: number, client: MovingClient) =>
        this.#reactors[place]!.send({ kind: "handshake", client }),
    };
    const [, ...further] = this.#placement.reactors;
    // Connections to a device that has several reactors are spread over them as they are accepted.
    const handOvers = this.#placement.exports === null ? further.map(createHandOver) : [];
    const others = further.map((_, i) => {
      const inbox = handOvers.slice(i, i + 1).map((handOver) => handOver.inbox);
      return new ReactorThread({ ...this.#start(i + 1), inbox }, events);
    });
    const first: Omit<ReactorStart, "wakeFd"> = {
      ...this.#start(0),
      listeners: this.#listeners.map((listener) => listener.fd),
      others: handOvers.map((handOver, i) => handOver.address(others[i]!.wakeFd)),
    };
    return [new ReactorThread(first, events), ...others];
  }

  /** Starts the threads. Resolves when all can serve clients. */
  async #begin(): Promise<void> {
    for (const reactor of this.#reactors) reactor.begin();
    await Promise.all(this.#reactors.map((reactor) => reactor.started));
    await this.#checkZones();
  }

  /** Rejects where what is to be served over NBD has zones. */
  async #checkZones(): Promise<void> {
    const options = this.#options;
    if (options.listen.length + options.connections.length === 0) return;
    const offers = "exports" in options ? options.exports : [{ ...options, name: "" }];
    for (const { name, device, readOnly } of offers) {
      if (readOnly || !mayBeZoned(device)) continue;
      // Where there are several and none by default, each client is told.
      const info = await this.describe(name).catch(() => null);
      const refusal = info === null ? "" : zoneRefusal(info);
      if (refusal !== "") throw new Error(refusal);
    }
  }

  #start(index: number): Omit<ReactorStart, "wakeFd"> {
    const { connections, busyPollUs, verbose, limits } = this.#options;
    const { reactors, exports } = this.#placement;
    const { buffer: load } = this.#load;
    const devices = reactors[index]!.map((placed) => ({
      ...placed,
      profile: this.#options.profile ?? false,
      watches: pluginNodes(placed.device).flatMap((node) => {
        const timeoutMs = node.kind === "plugin" ? node.timeoutMs : undefined;
        return Array.from({ length: watchCount(node) }, () => {
          return this.#watchdog.watch(timeoutMs ?? limits.pluginTimeoutMs);
        });
      }),
    }));
    const own = connections.filter(({ transmission }) => {
      return index === (transmission === undefined ? 0 : this.#placeOf(transmission.exportName));
    });
    const none = { inbox: [], listeners: [], others: [] };
    return {
      index,
      devices,
      exports,
      connections: own,
      load,
      longCalls: this.#longCalls.count,
      busyPollUs,
      verbose,
      limits,
      ...none,
    };
  }

  /** A reactor has lost its last connection. */
  #idle(): void {
    const { listen, exitWithLastClient } = this.#options;
    if (this.#outlivesClients || listen.length > 0 && !exitWithLastClient) return;
    if (this.clients() === 0) this.stop();
  }

  #cleanUp(): void {
    this.#watchdog.stop();
    for (const listener of this.#listeners) listener.removeFile();
  }
}
