// SPDX-License-Identifier: MIT
// A running plugin as a Device: instantiates the prepared module, gives it its parameters, and asks it
// for its exports (ABI, "Lifecycle"). How they are opened is in opening.ts.

import type { Device, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import type { PayloadMemory } from "../block/memory.ts";
import { Agenda } from "./agenda.ts";
import { runUntil } from "./await.ts";
import { allocatorOf, withBytes } from "./allocate.ts";
import { Below } from "./below.ts";
import { WaitingHost } from "./blocking/waiting_host.ts";
import { waitingImports } from "./blocking/waiting_imports.ts";
import type { PluginCalls } from "./calls.ts";
import { deliver } from "./deliver.ts";
import { Files, type FileStore } from "./files.ts";
import { checkGrants, type Grants, NO_GRANTS } from "./grants.ts";
import { Host } from "./host.ts";
import { makeImports } from "./imports.ts";
import { instantiate, makeMemory } from "./instantiate.ts";
import { Ask, Listing } from "./listing.ts";
import { abiMinor } from "./manifest_check.ts";
import { type NodeManifest, PLAIN_NODE } from "./manifest_node.ts";
import { BUFFER_ALIGNMENT_MIN, type MemoryRelease, PluginMemory } from "./memory.ts";
import type { NodeMetrics } from "../block/metrics.ts";
import { makeNodeImports } from "./node_imports.ts";
import type { PluginExport } from "./opened.ts";
import { makeServiceImports } from "./service_imports.ts";
import { Streams, type StreamStore } from "./streams.ts";
import { Opening, writesItself } from "./opening.ts";
import type { ParameterValue } from "./parameters.ts";
import type { PreparedPlugin } from "./prepare.ts";
import { CallCounter, type Watch } from "./watch.ts";

export type { MemoryRelease } from "./memory.ts";

/** Levels of log lines; their positions are their numbers in the ABI. */
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** Surroundings of a plugin instance. */
export interface PluginOptions {
  /** Made by the Watchdog of another thread. */
  watch: Watch;
  /** Takes lines that the plugin logs or that are about it. */
  log(level: LogLevel, text: string): void;
  /** How many instances of the plugin serve the same exports. */
  instances: number;
  /** Absent: released memory is only zeroed. */
  memoryRelease?: MemoryRelease;
  /** What the plugin was granted; nothing when absent. */
  grants?: Grants;
  /** The files among that. Closed together with the device. */
  files?: FileStore;
  /** The machines among that. Closed together with the device. */
  streams?: StreamStore;
  /** What a filter stands on. They are closed together with it. */
  children?: readonly Device[];
  /** Somebody else's are children and files, and the instance is not called again after a failure. */
  onFailure?: () => void;
  /** Counts calls; one of its own when absent. */
  counter?: CallCounter;
  /** Shared with the nodes below. Absent: one of its own. */
  agenda?: Agenda;
  /** Whether `reap` of this device runs the agenda that it is given; exactly one does. */
  runsAgenda?: boolean;
}

/** See the top of this file. */
export class PluginDevice implements Device {
  /** Its own memory, or what is below it where payloads are none of its business. */
  readonly memory: PayloadMemory;
  readonly bufferAlignment: number;
  readonly completionFds: readonly number[];

  /** Calls that were ended before their time. */
  failures = 0;

  readonly #host: Host;
  readonly #listing = new Listing();
  readonly #calls: PluginCalls;
  readonly #prepared: PreparedPlugin;
  readonly #own: PluginMemory;
  readonly #children: readonly Device[];
  readonly #node: NodeManifest;
  readonly #below: Below;
  readonly #opening: Opening;
  readonly #files: Files;
  readonly #store: FileStore | null;
  readonly #streams: Streams;
  readonly #network: StreamStore | null;
  readonly #agenda: Agenda;
  readonly #runsAgenda: boolean;
  /** Children and files are somebody else's. */
  readonly #isLent: boolean;
  #finishing = false;

  private constructor(prepared: PreparedPlugin, options: PluginOptions) {
    const { name } = prepared.manifest;
    this.#prepared = prepared;
    const memories = prepared.memories.map(makeMemory);
    this.#own = new PluginMemory(memories[prepared.memory]!, options.memoryRelease ?? null);
    this.#children = options.children ?? [];
    this.#node = prepared.manifest.node ?? PLAIN_NODE;
    checkChildren(prepared, this.#children.length);
    const grants = options.grants ?? NO_GRANTS;
    checkGrants(prepared.manifest, grants);
    this.#store = options.files ?? null;
    this.#network = options.streams ?? null;
    const alignments = this.#children.map(({ bufferAlignment }) => bufferAlignment);
    this.#own.payloadAlignment = this.#node.alignment;
    this.#own.bufferAlignment = Math.max(BUFFER_ALIGNMENT_MIN, this.#node.alignment);
    this.bufferAlignment = Math.max(this.#own.bufferAlignment, ...alignments);
    this.completionFds = [
      ...this.#store?.completionFds ?? [],
      ...this.#network?.completionFds ?? [],
      ...this.#children.flatMap(({ completionFds }) => completionFds),
    ];
    this.#agenda = options.agenda ?? new Agenda();
    this.#runsAgenda = options.agenda === undefined || options.runsAgenda === true;
    const log = (level: LogLevel, text: string) => options.log(level, text);
    const counter = options.counter ?? new CallCounter(options.watch);
    const { onFailure } = options;
    this.#own.vanishes = onFailure !== undefined;
    this.#isLent = onFailure !== undefined;
    this.#host = new (prepared.manifest.threads === "blocking" ? WaitingHost : Host)(
      name,
      this.#own,
      counter,
      prepared.functions,
      this.#agenda,
      log,
    );
    this.#host.logsFreely = grants.logging;
    this.#host.pends = abiMinor(prepared.manifest.abi) >= 1;
    this.#below = new Below(this.#host, this.#children, this.#node, prepared.imports, grants);
    this.#files = new Files(this.#host, this.#store);
    this.#streams = new Streams(this.#host, this.#network);
    this.#host.onFailure = () => {
      this.failures++;
      this.#host.dead = onFailure !== undefined;
      onFailure?.();
      this.#below.next.forget();
      this.#files.forget();
      this.#streams.closeAll();
    };
    const core = {
      ...makeImports(this.#host, this.#listing),
      ...makeNodeImports(this.#host, this.#below),
      ...makeServiceImports(this.#host, grants, this.#files, this.#streams),
    };
    const imports = this.#host instanceof WaitingHost
      ? waitingImports(core, this.#host, (isDone) => this.#wait(isDone))
      : core;
    this.#calls = instantiate(
      prepared,
      memories,
      options.watch.memory,
      this.#host,
      imports,
      grants,
    );
    // A component tells what it has when it runs.
    const running = { ...prepared, exports: Object.keys(this.#calls) };
    const takesPayloads = this.#children.length === 0 || writesItself(running);
    this.memory = takesPayloads ? this.#own : this.#children[0]!.memory;
    const { sb_done: done } = this.#calls;
    if (done) this.#host.sbDone = done;
    this.#own.allocator = allocatorOf(this.#host, this.#calls);
    this.#opening = new Opening({
      prepared: running,
      instances: options.instances,
      host: this.#host,
      calls: this.#calls,
      below: this.#below,
      listing: this.#listing,
    });
  }

  /** Instantiates a plugin, gives it its parameters and asks whether it is ready. Throws BlockError. */
  static create(
    prepared: PreparedPlugin,
    values: readonly ParameterValue[],
    options: PluginOptions,
  ): PluginDevice {
    const device = new PluginDevice(prepared, options);
    try {
      device.#begin(values);
    } catch (error) {
      device.#files.closeAll();
      device.#streams.closeAll();
      throw error;
    }
    return device;
  }

  /** Gives it its parameters and asks whether it is ready. Throws BlockError. */
  #begin(values: readonly ParameterValue[]): void {
    const host = this.#host;
    // What it has said about a parameter is why it is not ready, unless it says more then.
    let text = "";
    for (const value of values) {
      const fact = deliver(host, this.#calls, value);
      text ||= fact;
    }
    const { sb_ready: ready } = this.#calls;
    if (!ready) return;
    host.controlStatus("sb_ready", `start plugin "${this.#prepared.manifest.name}"`, () => {
      host.errorText = text;
      return ready();
    });
  }

  list(): ExportEntry[] {
    const { sb_list: list } = this.#calls;
    const [first] = this.#children;
    if (!list && first !== undefined) return first.list();
    if (!list) return [{ name: "", description: this.#prepared.manifest.description }];
    this.#listing.ask(this.#host, Ask.List, "sb_list", "list the exports", list);
    return this.#listing.entries;
  }

  defaultExport(): string | null {
    const { sb_default: getDefault } = this.#calls;
    if (getDefault) {
      this.#listing.ask(
        this.#host,
        Ask.Default,
        "sb_default",
        "tell the default export",
        getDefault,
      );
      return this.#listing.default;
    }
    if (!this.#calls.sb_list) {
      const [first] = this.#children;
      return first === undefined ? "" : first.defaultExport();
    }
    const entries = this.list();
    if (entries.some(({ name }) => name === "")) return "";
    return entries.length === 1 ? entries[0]!.name : null;
  }

  open(name: string, options: OpenOptions): PluginExport {
    return this.#opening.open(name, options);
  }

  get nextMs(): number {
    let nextMs = this.#runsAgenda ? this.#agenda.nextMs : Infinity;
    for (const child of this.#children) nextMs = Math.min(nextMs, child.nextMs);
    return nextMs;
  }

  /** Whether something of its own is under way below it or on files. */
  get isWorking(): boolean {
    return this.#below.next.own > 0 || this.#files.pending > 0;
  }

  get busy(): boolean {
    if (this.isWorking) return true;
    // What is due at once is not to wait until nobody has a request.
    if (this.#runsAgenda && this.#agenda.nextMs === 0) return true;
    return this.#children.some((child) => child.busy);
  }

  /** What a filter stands on. */
  get children(): readonly Device[] {
    return this.#children;
  }

  /** Functions of the ABI that the instance has. */
  get functions(): readonly string[] {
    return Object.keys(this.#calls);
  }

  /** Metrics of the manifest with their values now. */
  metrics(): { name: string; value: number }[] {
    return this.#below.metrics.samples().map(({ name, value }) => ({ name, value }));
  }

  collectMetrics(node: string, into: NodeMetrics[], restarts = 0, failures = 0): void {
    into.push({
      node,
      plugin: this.#prepared.manifest.name,
      failures: this.failures + failures,
      restarts,
      samples: this.#below.metrics.samples(),
    });
    this.#children.forEach((child, index) => child.collectMetrics?.(`${node}.${index}`, into));
  }

  connect(peer: string): void {
    const { sb_connect: connect } = this.#calls;
    if (connect) {
      const bytes = new TextEncoder().encode(peer);
      withBytes(this.#host, bytes, (pointer) => {
        this.#host.controlStatus("sb_connect", "admit the client", () => {
          return connect(pointer, bytes.length);
        });
      });
    }
    for (const child of this.#children) child.connect(peer);
  }

  reap(): void {
    for (const child of this.#children) child.reap();
    this.#store?.reap();
    this.#network?.reap();
    if (this.#runsAgenda) this.#agenda.run(performance.now());
  }

  settle(): void {
    this.#host.settleStable();
    for (const child of this.#children) child.settle?.();
  }

  submitQueued(): void {
    for (const child of this.#children) child.submitQueued();
    this.#store?.submit();
  }

  /** What is above has to be done first: it may still write here. */
  finish(): number {
    if (!this.#finishing) this.#opening.abandon();
    const { sb_finish: finish } = this.#calls;
    const { next } = this.#below;
    if (!this.#finishing && finish) this.#host.quietly("sb_finish", () => finish());
    this.#finishing = true;
    if (finish && (this.#host.timers > 0 || next.own > 0 || this.#files.pending > 0)) {
      return next.ownEnded;
    }
    let steps = next.ownEnded;
    let done = true;
    for (const child of this.#children) {
      const step = child.finish();
      if (step >= 0) {
        done = false;
        steps += step;
      }
      if (!done) break;
    }
    return done ? -1 : steps;
  }

  /** Waits within a call, where the plugin may. Throws BlockError where that takes too long. */
  #wait(isDone: () => boolean): void {
    runUntil([this], this.#agenda, this.#host.timeoutMs, isDone, "wait any longer");
  }

  close(): void {
    this.#opening.abandon();
    const { sb_stop: stop } = this.#calls;
    if (stop) this.#host.quietly("sb_stop", () => stop());
    this.#agenda.cancelAll(this.#host);
    this.#below.closeBackground();
    this.#files.closeAll();
    this.#streams.closeAll();
    if (this.#isLent) return;
    this.#store?.close();
    this.#network?.close();
    for (const child of this.#children) child.close();
  }
}

function checkChildren({ manifest }: PreparedPlugin, count: number): void {
  const { children } = manifest.node ?? PLAIN_NODE;
  const { minimum, maximum } = children ?? { minimum: 0, maximum: 0 };
  if (count >= minimum && count <= maximum) return;
  const range = minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`;
  throw new BlockError(
    Errno.EINVAL,
    `cannot start "${manifest.name}" above ${count} devices: it takes ${range}`,
  );
}
