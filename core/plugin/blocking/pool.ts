// SPDX-License-Identifier: MIT
// A plugin whose calls for requests may wait (ABI, "Calls that wait"): several instances, each on a
// thread of its own, answer one request each. One more, on the reactor, answers everything else.

import type { Device, OpenExport, OpenOptions } from "../../block/device.ts";
import { BlockError, Errno } from "../../block/errno.ts";
import type { ExportEntry } from "../../block/export.ts";
import type { PayloadMemory } from "../../block/memory.ts";
import type { MetricSample, NodeMetrics } from "../../block/metrics.ts";
import { type Request, Status } from "../../block/request.ts";
import { Agenda } from "../agenda.ts";
import { runUntil } from "../await.ts";
import { NO_GRANTS } from "../grants.ts";
import { type LogLevel, PluginDevice, type PluginOptions } from "../instance.ts";
import { LogLimit } from "../log_limit.ts";
import { PLAIN_NODE } from "../manifest_node.ts";
import { writesItself } from "../opening.ts";
import type { ParameterValue } from "../parameters.ts";
import type { PreparedPlugin } from "../prepare.ts";
import type { RestartPolicy } from "../restart_policy.ts";
import type { Watch } from "../watch.ts";
import { Bell } from "./bell.ts";
import { PoolExport, type RequestPool } from "./pool_export.ts";
import {
  PoolInstance,
  type PoolOpened,
  type PoolServices,
  type PoolWatcher,
} from "./pool_instance.ts";
import { addSamples } from "./pool_metrics.ts";
import { PoolThread } from "./pool_thread.ts";
import { Waits } from "./waits.ts";

/** Requests that wait for an instance; clients that send more are told that there is no memory. */
export const WAITING_MAX = 65_535;
/** Threads get so much longer than one call may take to stop. */
const STOP_MS = 1000;

/** How a pool works. */
export interface PoolOptions extends PluginOptions {
  /** One for each instance besides `watch`, which is that of the one on the reactor. */
  watches: readonly Watch[];
  restart: RestartPolicy;
  /** Where payloads lie, unless in what is below. Closed together with the device. */
  hostMemory: PayloadMemory & { close(): void };
}

/** See the top of this file. */
export class PoolDevice implements Device, PoolWatcher, RequestPool {
  readonly memory: PayloadMemory;
  readonly bufferAlignment: number;
  readonly completionFds: readonly number[];
  readonly #control: PluginDevice;
  readonly #options: PoolOptions;
  readonly #start: ConstructorParameters<typeof PoolThread>[1];
  readonly #services: PoolServices;
  readonly #agenda: Agenda;
  readonly #bell = new Bell();
  readonly #threads: PoolThread[] = [];
  /** The thread that was started last and does not listen yet. */
  #starting: PoolThread | null = null;
  /** Threads without an instance. */
  readonly #vacant: PoolThread[] = [];
  readonly #instances = new Map<PoolThread, PoolInstance>();
  readonly #idle: PoolInstance[] = [];
  /** Requests that wait for an instance, and what they are for. */
  readonly #waiting: Request[] = [];
  readonly #waitingFor: PoolOpened[] = [];
  readonly #waits: Waits;
  #nextNumber = 0;
  #restarts = 0;
  #failures = 0;
  /** What instances that are gone have counted. */
  #past: MetricSample[] | null = null;
  #closing = false;

  private constructor(
    prepared: PreparedPlugin,
    values: readonly ParameterValue[],
    options: PoolOptions,
    control: PluginDevice,
    agenda: Agenda,
  ) {
    this.#options = options;
    const { hostMemory, children = [], grants = NO_GRANTS, files, streams } = options;
    this.#agenda = agenda;
    this.#control = control;
    const { functions } = control;
    const takesPayloads = children.length === 0 ||
      writesItself({ ...prepared, exports: [...functions] });
    this.memory = takesPayloads ? hostMemory : children[0]!.memory;
    this.bufferAlignment = this.#control.bufferAlignment;
    this.completionFds = [...this.#control.completionFds, this.#bell.fd];
    this.#waits = new Waits(options.restart);
    // Each instance bounds what it logs, but there may be many of them, one after the other.
    const limit = new LogLimit((level, text) => options.log(level, text));
    const log = grants.logging
      ? options.log
      : (level: LogLevel, text: string) => limit.log(level, level, text);
    this.#start = { prepared, values, grants, watch: options.watch };
    this.#services = {
      prepared,
      functions,
      timeoutMs: options.watch.timeoutMs,
      agenda: this.#agenda,
      grants,
      files: files ?? null,
      streams: streams ?? null,
      children,
      memory: hostMemory,
      log,
    };
  }

  /** Makes the device. Instances are started when there are requests for them. Throws BlockError. */
  static create(
    prepared: PreparedPlugin,
    values: readonly ParameterValue[],
    options: PoolOptions,
  ): PoolDevice {
    const agenda = options.agenda ?? new Agenda();
    const control = PluginDevice.create(prepared, values, {
      ...options,
      agenda,
      runsAgenda: false,
    });
    return new PoolDevice(prepared, values, options, control, agenda);
  }

  list(): ExportEntry[] {
    return this.#control.list();
  }

  defaultExport(): string | null {
    return this.#control.defaultExport();
  }

  connect(peer: string): void {
    this.#control.connect(peer);
  }

  open(name: string, options: OpenOptions): OpenExport {
    const opened = this.#control.open(name, options);
    return new PoolExport(this, this.#nextNumber++, name, options, opened);
  }

  /** Calls that were ended before their time. */
  get failures(): number {
    let count = this.#failures + this.#control.failures;
    for (const instance of this.#instances.values()) count += instance.failures;
    return count;
  }

  get nextMs(): number {
    return Math.min(this.#control.nextMs, this.#runsAgenda ? this.#agenda.nextMs : Infinity);
  }

  get busy(): boolean {
    if (this.#control.busy || this.#starting !== null) return true;
    if (this.#runsAgenda && this.#agenda.nextMs === 0) return true;
    return this.#threads.some((thread) => thread.isBusy);
  }

  /** Metrics of the manifest with their values now. */
  metrics(): { name: string; value: number }[] {
    const into: NodeMetrics[] = [];
    this.collectMetrics("0", into);
    return into[0]!.samples.map(({ name, value }) => ({ name, value }));
  }

  collectMetrics(node: string, into: NodeMetrics[]): void {
    const at = into.length;
    this.#control.collectMetrics(node, into);
    const own = into[at]!;
    let { samples } = own;
    if (this.#past !== null) samples = addSamples(samples, this.#past);
    for (const { below } of this.#instances.values()) {
      samples = addSamples(samples, below.metrics.samples());
    }
    into[at] = { ...own, samples, failures: this.failures, restarts: this.#restarts };
  }

  submit(to: PoolOpened, request: Request): number {
    const instance = this.#idle.pop();
    if (instance !== undefined) {
      const status = instance.begin(to, request);
      if (status !== Status.Pending) this.#idle.push(instance);
      return status;
    }
    const refusal = this.#grow();
    if (refusal !== "") return refuse(request, Errno.EIO, refusal);
    if (this.#waiting.length >= WAITING_MAX) {
      return refuse(request, Errno.ENOMEM, "too many requests wait for an instance");
    }
    this.#waiting.push(request);
    this.#waitingFor.push(to);
    return Status.Pending;
  }

  forgetExport(number: number): void {
    for (const instance of this.#instances.values()) instance.forgetExport(number);
    for (const instance of this.#idle.splice(0)) this.#next(instance);
  }

  free(instance: PoolInstance): void {
    if (instance.failures === 0 || this.#options.restart === "fail") return this.#next(instance);
    this.#vacate(instance);
    this.#restarts++;
    this.#waits.failed();
    this.#fillOrRefuse();
  }

  started(instance: PoolInstance, failure: string | null): void {
    if (failure === null) return this.#next(instance);
    const { name } = this.#services.prepared.manifest;
    this.#services.log("error", `plugin "${name}": an instance cannot be started: ${failure}`);
    this.#vacate(instance);
    this.#waits.notStarted(failure);
    this.#fillOrRefuse();
  }

  idle(instance: PoolInstance): void {
    this.#next(instance);
  }

  stopped(instance: PoolInstance): void {
    this.#vacate(instance);
  }

  reap(): void {
    this.#listen();
    this.#control.reap();
    if (this.#runsAgenda) this.#agenda.run(performance.now());
  }

  settle(): void {
    this.#control.settle();
  }

  submitQueued(): void {
    this.#control.submitQueued();
  }

  finish(): number {
    return this.#control.finish();
  }

  close(): void {
    this.#closing = true;
    this.#refuseAll("the device is closed");
    this.#stopThreads();
    // Whoever may still ring must not find somebody else's descriptor, so then it stays open.
    const isStopped = this.#threads.every((thread) => !thread.isBusy) && !this.#bell.rings;
    for (const thread of this.#threads) if (!thread.isBusy) thread.terminate();
    if (isStopped && this.#starting === null) this.#bell.close();
    this.#control.close();
    this.#options.hostMemory.close();
  }

  get #runsAgenda(): boolean {
    return this.#options.agenda === undefined || this.#options.runsAgenda === true;
  }

  /** Takes what the threads say. */
  #listen(): void {
    this.#hear();
    if (!this.#bell.rings && this.#starting === null) return;
    if (!this.#bell.hush()) return;
    this.#hear();
    if (!this.#bell.isAhead || this.#starting === null) return;
    this.#bell.seen();
    this.#begin(this.#starting);
  }

  #hear(): void {
    for (const thread of this.#threads) {
      if (thread.speaks()) this.#instances.get(thread)!.hear();
    }
  }

  /** Sees to it that there are more instances soon. Why there cannot be, where there is none; or "". */
  #grow(): string {
    if (this.#closing) return "the device is closed";
    const refusal = this.#waits.refusal(this.#services.prepared.manifest.name);
    if (refusal !== "") return this.#instances.size + (this.#starting ? 1 : 0) > 0 ? "" : refusal;
    const thread = this.#vacant.pop();
    if (thread !== undefined) {
      this.#occupy(thread);
      thread.order({ kind: "renew" });
      thread.carryOut();
    } else if (this.#starting === null && this.#threads.length < this.#most) {
      // One after the other, so that it is known who rings.
      const watch = this.#options.watches[this.#threads.length]!;
      this.#starting = new PoolThread(this.#bell, { ...this.#start, watch });
    }
    return "";
  }

  /** Instances that there may be. */
  get #most(): number {
    const { node = PLAIN_NODE } = this.#services.prepared.manifest;
    return Math.min(node.instances, this.#options.watches.length);
  }

  #begin(thread: PoolThread): void {
    this.#starting = null;
    if (this.#closing) return thread.terminate();
    this.#threads.push(thread);
    this.#occupy(thread);
    thread.begin();
    if (this.#waiting.length > 0) this.#grow();
  }

  #occupy(thread: PoolThread): void {
    this.#instances.set(thread, new PoolInstance(thread, this.#services, this));
  }

  #vacate(instance: PoolInstance): void {
    instance.close();
    this.#failures += instance.failures;
    const samples = instance.below.metrics.samples();
    this.#past = this.#past === null ? samples : addSamples(this.#past, samples);
    this.#instances.delete(instance.thread);
    this.#vacant.push(instance.thread);
  }

  /** Has an instance that is free do what there is to do. */
  #next(instance: PoolInstance): void {
    while (this.#waiting.length > 0) {
      const request = this.#waiting.shift()!;
      const to = this.#waitingFor.shift()!;
      const status = instance.begin(to, request);
      if (status === Status.Pending) return;
      request.sink.completed(request, status);
    }
    if (instance.thread.hasOrders) instance.thread.carryOut();
    else this.#idle.push(instance);
  }

  /** Makes another instance for those that wait, or tells them why there is none. */
  #fillOrRefuse(): void {
    if (this.#waiting.length === 0) return;
    const refusal = this.#grow();
    if (refusal !== "") this.#refuseAll(refusal);
  }

  /** Nobody answers those that wait. */
  #refuseAll(why: string): void {
    this.#waitingFor.length = 0;
    for (const request of this.#waiting.splice(0)) {
      request.sink.completed(request, refuse(request, Errno.EIO, why));
    }
  }

  /** Has all threads stop, and waits until they have. */
  #stopThreads(): void {
    const told = new Set<PoolInstance>();
    const isStopped = () => {
      for (const instance of this.#instances.values()) {
        if (instance.thread.isBusy || told.has(instance)) continue;
        told.add(instance);
        instance.thread.order({ kind: "stop" });
        instance.thread.carryOut();
      }
      return this.#instances.size === 0 && this.#starting === null && !this.#bell.rings;
    };
    // What they are in the middle of ends now; what they do to stop ends when it takes too long.
    for (const limitMs of [this.#services.timeoutMs + STOP_MS, STOP_MS]) {
      for (const instance of this.#instances.values()) {
        if (instance.thread.isBusy) instance.abort();
      }
      try {
        return runUntil([this], this.#agenda, limitMs, isStopped, "stop");
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        const { name } = this.#services.prepared.manifest;
        this.#services.log("warning", `plugin "${name}": an instance does not stop`);
      }
    }
  }
}

function refuse(request: Request, errno: number, text: string): number {
  request.errorText = text;
  return errno;
}
