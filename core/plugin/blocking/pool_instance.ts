// SPDX-License-Identifier: MIT
// One instance of a plugin whose calls may wait, as the reactor sees it: hands it a request, does for it
// what it imports, and finishes the request when the call has returned. One request at a time.

import type { Device, OpenOptions } from "../../block/device.ts";
import type { PayloadMemory } from "../../block/memory.ts";
import { Command, type Request, type RequestSink, Status } from "../../block/request.ts";
import type { Agenda } from "../agenda.ts";
import { joined } from "../answer_pieces.ts";
import { Below } from "../below.ts";
import type { PluginCalls } from "../calls.ts";
import { Files, type FileStore } from "../files.ts";
import type { Grants } from "../grants.ts";
import { makeImports } from "../imports.ts";
import type { LogLevel } from "../instance.ts";
import { Listing } from "../listing.ts";
import { PLAIN_NODE } from "../manifest_node.ts";
import { makeNodeImports } from "../node_imports.ts";
import { PluginExport } from "../opened.ts";
import type { PreparedPlugin } from "../prepare.ts";
import { makeServiceImports } from "../service_imports.ts";
import { Streams, type StreamStore } from "../streams.ts";
import { CallCounter } from "../watch.ts";
import { ToReactor } from "./channel.ts";
import { IMPORTED, NOTHING, REQUEST_CALLS } from "./functions.ts";
import type { Report } from "./messages.ts";
import type { PoolThread } from "./pool_thread.ts";
import { RemoteMemory } from "./remote_memory.ts";
import { WaitingHost } from "./waiting_host.ts";
import { isUnderWay, outcome, refused, takeToken } from "./waiting_imports.ts";

type Import = (...values: number[]) => number | bigint | undefined;
type CallReport = Extract<Report, { kind: "call" }>;

/** What all instances of one plugin have in common. */
export interface PoolServices {
  prepared: PreparedPlugin;
  /** Functions of the ABI that the plugin exports. */
  functions: readonly string[];
  timeoutMs: number;
  agenda: Agenda;
  grants: Grants;
  files: FileStore | null;
  streams: StreamStore | null;
  children: readonly Device[];
  /** Room for emulated requests. */
  memory: PayloadMemory;
  log(level: LogLevel, text: string): void;
}

/** An export that is open, by its number. */
export interface PoolOpened {
  readonly number: number;
  readonly name: string;
  readonly options: OpenOptions;
  /** As it was opened on the reactor. */
  readonly opened: PluginExport;
}

/** Who is told about an instance. */
export interface PoolWatcher {
  /** It has finished the request that it had. */
  free(instance: PoolInstance): void;
  /** It was started, or could not be, as `failure` says. */
  started(instance: PoolInstance, failure: string | null): void;
  /** It has done what it was ordered to do. */
  idle(instance: PoolInstance): void;
  stopped(instance: PoolInstance): void;
}

/** See the top of this file. */
export class PoolInstance implements RequestSink {
  /** It has failed in a call. */
  failures = 0;
  readonly thread: PoolThread;
  readonly below: Below;
  readonly #remote = new RemoteMemory();
  readonly #host: WaitingHost;
  readonly #files: Files;
  readonly #streams: Streams;
  readonly #services: PoolServices;
  readonly #watcher: PoolWatcher;
  readonly #core: WebAssembly.ModuleImports;
  readonly #imports: readonly Import[];
  readonly #calls: PluginCalls;
  readonly #exports = new Map<number, PluginExport>();
  readonly #handles = new Map<number, number>();
  /** Who waits for the request under way. */
  #sink: RequestSink | null = null;
  /** Number of the call for it. */
  #id = 0;
  /** What the call under way does is to end. */
  #isAborting = false;
  /** It waits for something that can be taken back at once. */
  #waitsIdly = false;

  constructor(thread: PoolThread, services: PoolServices, watcher: PoolWatcher) {
    this.thread = thread;
    this.#services = services;
    this.#watcher = watcher;
    const { prepared, agenda, grants, log, children, timeoutMs } = services;
    const { name, node = PLAIN_NODE } = prepared.manifest;
    const { memory } = this.#remote;
    // The watchdog looks at the calls where they are made: on the thread.
    const unwatched = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const counter = new CallCounter({ memory: unwatched, timeoutMs });
    const host = new WaitingHost(name, memory, counter, prepared.functions, agenda, log);
    host.pends = true;
    host.fetchesPayloads = true;
    host.emulationMemory = services.memory;
    host.logsFreely = grants.logging;
    this.#host = host;
    this.below = new Below(host, children, node, prepared.imports, grants);
    this.#files = new Files(host, services.files);
    this.#streams = new Streams(host, services.streams);
    host.onFailure = () => {
      this.failures++;
      host.forget();
      this.below.next.forget();
      this.#files.forget();
      this.#streams.closeAll();
    };
    this.#core = {
      ...makeImports(host, new Listing()),
      ...makeNodeImports(host, this.below),
      ...makeServiceImports(host, grants, this.#files, this.#streams),
    };
    this.#imports = IMPORTED.map(({ name }) => this.#core[name] as Import);
    this.#calls = this.#callsOf(services.functions);
  }

  /** Whether something of its own is under way below it or on files. */
  get isWorking(): boolean {
    return this.below.next.own > 0 || this.#files.pending > 0;
  }

  /** Starts `request`. Returns 0, an errno, or Status.Pending; then the watcher is told when it is free. */
  begin(to: PoolOpened, request: Request): number {
    this.#sink = request.sink;
    request.sink = this;
    const status = (this.#exports.get(to.number) ?? this.#export(to)).submit(request);
    if (status === Status.Pending) return status;
    request.sink = this.#sink;
    this.#sink = null;
    return status;
  }

  completed(request: Request, errno: number): void {
    const sink = this.#sink!;
    this.#sink = null;
    request.sink = sink;
    this.#watcher.free(this);
    sink.completed(request, errno);
  }

  /** The export is closed. What there is to do for that, `thread.carryOut` does. */
  forgetExport(number: number): void {
    const opened = this.#exports.get(number);
    if (opened === undefined) return;
    this.#exports.delete(number);
    this.below.opened.delete(opened);
    this.thread.order({ kind: "close", number });
    const handle = this.#handles.get(number);
    this.#handles.delete(number);
    if (handle !== undefined) this.below.next.handles.delete(handle);
  }

  /** Takes what the thread says. */
  hear(): void {
    const { channel } = this.thread;
    this.#remote.use(channel.memoryAddress, channel.memoryBytes);
    const report = this.#reported();
    if (channel.calls[0] !== 0) this.#doDeferred(channel.calls);
    switch (channel.kind) {
      case ToReactor.Import:
        return this.#import();
      case ToReactor.Opened:
        return this.#opened(channel.argument(0), channel.argument(1));
      case ToReactor.Done:
        return this.#done(channel.value, report);
      case ToReactor.Started:
        this.#isAborting = false;
        return this.#watcher.started(this, report === null ? null : report.text);
      case ToReactor.Idle:
        return this.#watcher.idle(this);
      case ToReactor.Stopped:
        return this.#watcher.stopped(this);
    }
  }

  /** Ends the call under way, if there is one, as soon as it asks for something or is asking for it. */
  abort(): void {
    this.#isAborting = true;
    if (!this.#waitsIdly) return;
    this.#waitsIdly = false;
    this.#host.forget();
    this.#streams.closeAll();
    this.thread.abort();
  }

  /** It will not be used again: its thread has stopped, or makes another one. */
  close(): void {
    this.#host.dead = true;
    this.#host.forget();
    this.below.closeBackground();
    this.#files.closeAll();
    this.#streams.closeAll();
    this.#remote.use(0, 0);
  }

  /** Logs what the thread has logged. Returns what it says about the call that has ended. */
  #reported(): CallReport | null {
    let call: CallReport | null = null;
    for (const report of this.thread.reports()) {
      if (report.kind === "call") call = report;
      else this.#services.log(report.level, report.text);
    }
    return call;
  }

  #export(to: PoolOpened): PluginExport {
    const { number, name, opened: model } = to;
    const { readOnly, peer } = to.options;
    const { next } = this.below;
    const below = model.below && {
      ...model.below,
      forward: (
        _handle: number,
        id: number,
        countHigh: number,
        countLow: number,
        offsetHigh: number,
        offsetLow: number,
        flags: number,
      ) => next.forward(id, 0, 0, countHigh, countLow, offsetHigh, offsetLow, flags, 0),
    };
    const opened = new PluginExport(this.#host, this.#calls, number, model.info, () => {}, below);
    opened.onResize = () => model.onResize?.();
    this.#exports.set(number, opened);
    this.thread.order({ kind: "open", number, name, readOnly, peer });
    return opened;
  }

  /** Functions that hand a request to the thread, for those that the plugin has. */
  #callsOf(functions: readonly string[]): PluginCalls {
    const calls: Record<string, (...values: number[]) => number> = {};
    for (const [index, name] of REQUEST_CALLS.entries()) {
      if (!functions.includes(name)) continue;
      calls[name] = name === "sb_pwrite"
        // Where the payload lies, the request knows.
        ? (handle, id, _pointer, ch, cl, oh, ol, flags) =>
          this.#hand(index, handle!, id!, ch!, cl!, oh!, ol!, flags!)
        : name === "sb_ioctl"
        ? (handle, id, number, _pointer, length) =>
          this.#hand(index, handle!, id!, 0, length!, 0, number!, 0)
        : name === "sb_flush"
        ? (handle, id, flags) => this.#hand(index, handle!, id!, 0, 0, 0, 0, flags!)
        : (handle, id, ch, cl, oh, ol, flags) =>
          this.#hand(index, handle!, id!, ch!, cl!, oh!, ol!, flags!);
    }
    return calls as PluginCalls;
  }

  #hand(
    call: number,
    number: number,
    id: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
  ): number {
    const { channel } = this.thread;
    const answer = this.#host.answers.find(id)!;
    this.#id = id;
    channel.setArgument(0, number);
    channel.setArgument(1, id);
    channel.setArgument(2, countHigh);
    channel.setArgument(3, countLow);
    channel.setArgument(4, offsetHigh);
    channel.setArgument(5, offsetLow);
    channel.setArgument(6, flags);
    const name = REQUEST_CALLS[call];
    const { forwardsPayloads, forwardsIoctls } = this.#exports.get(number)!;
    const sees = name === "sb_pwrite" && !forwardsPayloads ||
      name === "sb_ioctl" && !forwardsIoctls;
    channel.pointer = sees ? answer.request!.payload : 0;
    this.thread.request(call);
    return Status.Pending;
  }

  /** Does what nobody waits for. */
  #doDeferred(calls: Int32Array): void {
    const end = calls[0]! + 1;
    calls[0] = 0;
    this.#host.resume();
    for (let at = 1; at < end;) {
      const number = calls[at++]!;
      const { arity, name } = IMPORTED[number]!;
      const values = calls.subarray(at, at + arity);
      at += arity;
      if (name === "reply_buffer") this.#remote.offered = joined(calls[at++]!, calls[at++]!);
      this.#imports[number]!(...values);
    }
    this.#host.suspend();
  }

  #import(): void {
    const { channel } = this.thread;
    if (this.#isAborting) return this.thread.abort();
    if (channel.value === NOTHING) return this.#goOn(0);
    const { name, arity, waits } = IMPORTED[channel.value]!;
    const call = this.#imports[channel.value]!;
    const values = Array.from({ length: arity }, (_, index) => channel.argument(index));
    const host = this.#host;
    if (waits && !takeToken(host, name, values)) return this.#goOn(refused(name));
    host.resume();
    const result = call(...values);
    host.suspend();
    if (!(waits || name === "sleep") || !isUnderWay(name, result as number)) {
      return this.#goOn(result);
    }
    const begun = result as number;
    this.#waitsIdly = name === "sleep" || name.startsWith("net_");
    host.wait((ended) => this.#goOn(outcome(name, begun, ended, this.#core), true));
  }

  #goOn(result: number | bigint | undefined, late = false): void {
    this.#waitsIdly = false;
    if (this.#isAborting) return this.thread.abort();
    this.thread.channel.setResult(result);
    this.thread.goOn(late);
  }

  #opened(number: number, handle: number): void {
    const { handles } = this.below.next;
    const opened = this.#exports.get(number)!;
    const before = this.#handles.get(number);
    if (before !== undefined) handles.delete(before);
    this.#handles.delete(number);
    if (handle < 0) {
      this.below.opened.delete(opened);
      return this.#goOn(0);
    }
    const { below } = opened;
    if (below !== null && handles.has(handle)) return this.#goOn(1);
    this.#handles.set(number, handle);
    if (below !== null) handles.set(handle, below.handle.latest);
    this.below.opened.set(opened, handle);
    this.#goOn(0);
  }

  #done(status: number, report: CallReport | null): void {
    this.#isAborting = false;
    const host = this.#host;
    if (report !== null && report.text !== "") host.errorText = report.text;
    if (report !== null && report.failed) return host.fail(report.text);
    if (status === 0) this.#takeArgument();
    host.returned(this.#id, status, report?.lie ?? "");
  }

  /** Brings what an ioctl was answered with to where its argument is. */
  #takeArgument(): void {
    const answer = this.#host.answers.find(this.#id);
    if (answer === null || answer.command !== Command.Ioctl) return;
    const { pointer } = this.thread.channel;
    const request = answer.request!;
    const { memory } = this.#remote;
    if (pointer === 0 || !memory.contains(pointer, request.lengthLow)) return;
    const { memory: target } = request.space;
    const bytes = memory.bytes.subarray(pointer, pointer + request.lengthLow);
    target.bytes.set(bytes, request.payload - target.address);
  }
}
