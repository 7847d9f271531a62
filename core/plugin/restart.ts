// SPDX-License-Identifier: MIT
// A plugin that gets a new instance when the one it has fails (docs/sandbox.md, "Restarts"). No address
// in an instance's memory leaves this device, so that an instance can be thrown away at any time.

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import type { PayloadMemory } from "../block/memory.ts";
import type { Agenda, TimerOwner } from "./agenda.ts";
import type { LogLevel, PluginDevice } from "./instance.ts";
import type { NodeMetrics } from "../block/metrics.ts";
import { RestartedExport } from "./restarted_export.ts";

/** The first wait before an instance is started again, and the longest; each is twice the last. */
const WAIT_MS_MIN = 100;
const WAIT_MS_MAX = 30_000;
/** An instance that has worked for so long is well again. */
const WELL_MS = 60_000;

/** How a RestartingDevice works. */
export interface RestartOptions {
  policy: "restart" | "backoff";
  /** Makes an instance that leaves children and files alone, and tells `failed`. Throws BlockError. */
  make(failed: () => void): PluginDevice;
  agenda: Agenda;
  runsAgenda: boolean;
  /** Where payloads lie; absent where they lie in what is below. Closed together with the device. */
  memory?: PayloadMemory & { close(): void };
  children: readonly Device[];
  /** What instances use and do not own. Closed together with the device. */
  services: readonly { close(): void }[];
  name: string;
  log(level: LogLevel, text: string): void;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}

/** See the top of this file. */
export class RestartingDevice implements Device, TimerOwner {
  readonly memory: PayloadMemory;
  readonly bufferAlignment: number;
  readonly completionFds: readonly number[];
  /** Grows with every instance that has failed. */
  failures = 0;
  /** Instances that were started in place of one that had failed. */
  restarts = 0;
  timers = 0;

  readonly #options: RestartOptions;
  readonly #now: () => number;
  #instance: PluginDevice;
  /** Instances that have failed while something of theirs was under way, which still has to end. */
  #gone: PluginDevice[] = [];
  /** Tells instances apart: only the failure of the one that is called counts, once it has started. */
  #number = 0;
  #live = 0;
  #startedMs = 0;
  /** When it may be started again; Infinity while it works. */
  #dueMs = Infinity;
  #waitMs = WAIT_MS_MIN;

  /** Starts the first instance. Throws BlockError. */
  constructor(options: RestartOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#instance = this.#start();
    this.memory = options.memory ?? this.#instance.memory;
    this.bufferAlignment = this.#instance.bufferAlignment;
    this.completionFds = this.#instance.completionFds;
  }

  /** The instance of now, which may have failed; see `works`. */
  get instance(): PluginDevice {
    return this.#instance;
  }

  /** Whether there is an instance to be called; starts one where that is due. */
  works(): boolean {
    if (this.#dueMs === Infinity) return true;
    if (this.#now() >= this.#dueMs) this.expired();
    return this.#dueMs === Infinity;
  }

  /** Why nothing can be asked for at the moment. */
  refusal(): string {
    const ms = Math.max(0, Math.ceil(this.#dueMs - this.#now()));
    return `plugin "${this.#options.name}" has failed and is started again in ${ms} ms`;
  }

  list(): ExportEntry[] {
    return this.#working().list();
  }

  defaultExport(): string | null {
    return this.#working().defaultExport();
  }

  connect(peer: string): void {
    this.#working().connect(peer);
  }

  open(name: string, options: OpenOptions): OpenExport {
    this.#working();
    return new RestartedExport(this, name, options);
  }

  metrics(): ReturnType<PluginDevice["metrics"]> {
    return this.#instance.metrics();
  }

  collectMetrics(node: string, into: NodeMetrics[]): void {
    const before = this.failures - this.#instance.failures;
    this.#instance.collectMetrics(node, into, this.restarts, before);
  }

  get nextMs(): number {
    const { agenda, runsAgenda } = this.#options;
    return Math.min(this.#instance.nextMs, runsAgenda ? agenda.nextMs : Infinity);
  }

  get busy(): boolean {
    const { agenda, runsAgenda } = this.#options;
    if (runsAgenda && agenda.nextMs === 0) return true;
    this.#gone = this.#gone.filter((instance) => instance.isWorking);
    return this.#instance.busy || this.#gone.length > 0;
  }

  reap(): void {
    this.#instance.reap();
    if (this.#options.runsAgenda) this.#options.agenda.run(performance.now());
  }

  settle(): void {
    this.#instance.settle();
  }

  submitQueued(): void {
    this.#instance.submitQueued();
  }

  finish(): number {
    return this.#instance.finish();
  }

  close(): void {
    const { agenda, children, services, memory } = this.#options;
    agenda.cancelAll(this);
    this.#instance.close();
    for (const service of services) service.close();
    for (const child of children) child.close();
    memory?.close();
  }

  /** It is time to start again, by the agenda or because somebody asks. */
  expired(): void {
    if (this.#dueMs === Infinity) return;
    this.#options.agenda.cancelAll(this);
    const { name, log } = this.#options;
    try {
      this.#instance.close();
      if (this.#instance.isWorking) this.#gone.push(this.#instance);
      this.#instance = this.#start();
      this.restarts++;
      log("warning", `plugin "${name}": started again`);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      log("error", `plugin "${name}": cannot be started again: ${error.message}`);
      this.#waitFor(this.#nextWaitMs());
    }
  }

  #start(): PluginDevice {
    const number = ++this.#number;
    this.#dueMs = Infinity;
    this.#startedMs = this.#now();
    const instance = this.#options.make(() => {
      if (number === this.#live) this.#failed();
    });
    this.#live = number;
    return instance;
  }

  #failed(): void {
    if (this.#dueMs !== Infinity) return;
    this.failures++;
    if (this.#now() - this.#startedMs >= WELL_MS) this.#waitMs = WAIT_MS_MIN;
    this.#waitFor(this.#options.policy === "restart" ? 0 : this.#nextWaitMs());
  }

  #nextWaitMs(): number {
    const ms = this.#waitMs;
    this.#waitMs = Math.min(2 * ms, WAIT_MS_MAX);
    return ms;
  }

  #waitFor(ms: number): void {
    this.#dueMs = this.#now() + ms;
    this.#options.agenda.cancelAll(this);
    this.#options.agenda.set(this, 0, performance.now() + ms);
  }

  #working(): PluginDevice {
    if (!this.works()) throw new BlockError(Errno.EIO, this.refusal());
    return this.#instance;
  }
}
