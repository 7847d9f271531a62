// SPDX-License-Identifier: MIT
// Starts a server: listeners, watchdog and reactor threads; and ends it in order.

import { isParallel, pluginNodes } from "../graph/nodes.ts";
import { Watchdog } from "../plugin/watch.ts";
import type { Policy } from "../policy/loaded.ts";
import type { ReactorStart } from "../reactor/messages.ts";
import { closeListener, type Listener, listenerUri, openListeners } from "./listeners.ts";
import type { ExportInfo } from "../block/export.ts";
import type { DeviceOptions, InheritedConnection, Server, ServerOptions } from "./options.ts";
import { createHandOver, ReactorThread } from "./reactor_thread.ts";

/** Beyond the time to drain, a thread that does not end is given up after so long. */
const END_GRACE_MS = 2000;

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
    server.abandon();
    for (const listener of listeners) closeListener(listener);
    throw error;
  }
}

/** Without a wish a parallel device gets a reactor for each processor, up to so many. */
const AUTO_THREADS_MAX = 4;

/** Reactors that a device can use: one, unless each may have a device of its own. */
function reactorCount(device: DeviceOptions, threads: number | "auto"): number {
  if (!isParallel(device)) return 1;
  return threads === "auto" ? Math.min(AUTO_THREADS_MAX, navigator.hardwareConcurrency) : threads;
}

class RunningServer implements Server {
  readonly uris: string[];
  readonly started: Promise<void>;
  readonly ended: Promise<void>;

  readonly #options: ServerOptions;
  readonly #listeners: Listener[];
  readonly #reactors: ReactorThread[];
  readonly #watchdog = new Watchdog();
  readonly #load: Int32Array<SharedArrayBuffer>;
  #stopping = false;
  #patienceEndMs = 0;

  constructor(options: ServerOptions, listeners: Listener[], log: Log) {
    this.#options = options;
    this.#listeners = listeners;
    this.uris = listeners.map((listener) => listenerUri(listener, options.exportName ?? ""));
    const count = reactorCount(options.device, options.threads);
    this.#load = new Int32Array(new SharedArrayBuffer(4 * count));
    this.#reactors = this.#startReactors(count, log);
    this.started = this.#reactors[0]!.started;
    this.ended = Promise.all(this.#reactors.map((reactor) => reactor.ended))
      .then(() => {}).finally(() => this.#cleanUp());
    this.ended.catch(() => {});
  }

  async describe(exportName: string): Promise<ExportInfo> {
    return (await this.#reactors[0]!.ask({ kind: "export", name: exportName }))!;
  }

  async connect(connection: InheritedConnection): Promise<void> {
    await this.#reactors[0]!.ask({ kind: "connect", connection });
  }

  usePolicy(policy: Policy): void {
    for (const reactor of this.#reactors) reactor.send({ kind: "policy", policy });
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
  abandon(): void {
    for (const reactor of this.#reactors) reactor.terminate();
    this.#watchdog.stop();
  }

  /** Reactors that get on with what devices had put off have more time to end. */
  #extendPatience(): void {
    this.#patienceEndMs = performance.now() + this.#options.limits.drainTimeoutMs + END_GRACE_MS;
  }

  #startReactors(count: number, log: Log): ReactorThread[] {
    const handOvers = Array.from({ length: count - 1 }, createHandOver);
    const events = {
      log,
      idle: () => this.#idle(),
      finishing: () => this.#extendPatience(),
    };
    const others = handOvers.map((handOver, i) =>
      new ReactorThread({ ...this.#start(i + 1), inbox: [handOver.inbox] }, events)
    );
    const first: Omit<ReactorStart, "wakeFd"> = {
      ...this.#start(0),
      listeners: this.#listeners.map((listener) => listener.fd),
      connections: this.#options.connections,
      others: others.map((other, i) => handOvers[i]!.address(other.wakeFd)),
    };
    const reactors = [new ReactorThread(first, events), ...others];
    reactors[0]!.begin();
    // One is enough to begin with. Connections wait for the others, whose failure ends the server.
    reactors[0]!.started.then(() => this.#stopping || others.forEach((other) => other.begin()));
    return reactors;
  }

  #start(index: number): Omit<ReactorStart, "wakeFd"> {
    const { device, exportName, readOnly, busyPollUs, verbose, limits, policy } = this.#options;
    const watches = pluginNodes(device).map(() => this.#watchdog.watch(limits.pluginTimeoutMs));
    const { buffer: load } = this.#load;
    const none = { inbox: [], listeners: [], connections: [], others: [] };
    return {
      index,
      device,
      watches,
      load,
      exportName,
      readOnly,
      busyPollUs,
      verbose,
      limits,
      policy: policy ?? null,
      ...none,
    };
  }

  /** A reactor has lost its last connection. */
  #idle(): void {
    const { listen, exitWithLastClient } = this.#options;
    if (listen.length > 0 && !exitWithLastClient) return;
    if (this.#load.every((_, i) => Atomics.load(this.#load, i) === 0)) this.stop();
  }

  #cleanUp(): void {
    this.#watchdog.stop();
    for (const listener of this.#listeners) listener.removeFile();
  }
}
