// SPDX-License-Identifier: MIT
// A running plugin as a Device: instantiates the prepared module, gives it its parameters, and opens
// its exports (ABI, "Lifecycle").

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { type ExportEntry, type ExportInfo, Support } from "../block/export.ts";
import type { PayloadMemory } from "../block/memory.ts";
import { Command } from "../block/request.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import { OpenFlag } from "./abi.ts";
import { Agenda } from "./agenda.ts";
import { allocatorOf, withBytes } from "./allocate.ts";
import { Below } from "./below.ts";
import type { PluginCalls } from "./calls.ts";
import { deliver } from "./deliver.ts";
import { Host } from "./host.ts";
import {
  blockSizeOf,
  capabilitiesOf,
  defaultInfo,
  filterInfo,
  type Info,
  INFO_BYTES,
  infoFault,
  readInfo,
  writeInfo,
} from "./info.ts";
import { instantiate, makeMemory } from "./instantiate.ts";
import { Ask, Listing } from "./listing.ts";
import { abiMinor } from "./manifest_check.ts";
import { type DataCall, type NodeManifest, PLAIN_NODE } from "./manifest_node.ts";
import { type MemoryRelease, PluginMemory } from "./memory.ts";
import type { NextHandle } from "./next_handle.ts";
import { type Below as ExportBelow, PluginExport } from "./opened.ts";
import type { ParameterValue } from "./parameters.ts";
import type { PreparedPlugin } from "./prepare.ts";
import { quoted } from "./text.ts";
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
  /** What a filter stands on. They are closed together with it. */
  children?: readonly Device[];
  /** Shared with the nodes below. Absent: one of its own. */
  agenda?: Agenda;
  /** Whether `reap` of this device runs the agenda that it is given; exactly one does. */
  runsAgenda?: boolean;
}

/** Which function answers a command. */
const CALLS: Readonly<Record<number, DataCall>> = {
  [Command.Read]: "pread",
  [Command.Write]: "pwrite",
  [Command.Flush]: "flush",
  [Command.Trim]: "trim",
  [Command.Cache]: "cache",
  [Command.WriteZeroes]: "zero",
  [Command.BlockStatus]: "extents",
};

/** See the top of this file. */
export class PluginDevice implements Device {
  /** Its own memory, or what is below it where payloads are none of its business. */
  readonly memory: PayloadMemory;
  readonly bufferAlignment: number;
  readonly completionFds: readonly number[];

  readonly #host: Host;
  readonly #listing = new Listing();
  readonly #calls: PluginCalls;
  readonly #prepared: PreparedPlugin;
  readonly #exports: ReadonlySet<string>;
  readonly #instances: number;
  readonly #own: PluginMemory;
  readonly #children: readonly Device[];
  readonly #node: NodeManifest;
  readonly #below: Below;
  readonly #agenda: Agenda;
  readonly #runsAgenda: boolean;
  #finishing = false;

  private constructor(prepared: PreparedPlugin, options: PluginOptions) {
    const { name } = prepared.manifest;
    this.#prepared = prepared;
    this.#exports = new Set(prepared.exports);
    this.#instances = options.instances;
    const memories = prepared.memories.map(makeMemory);
    this.#own = new PluginMemory(memories[prepared.memory]!, options.memoryRelease ?? null);
    this.#children = options.children ?? [];
    this.#node = prepared.manifest.node ?? PLAIN_NODE;
    checkChildren(prepared, this.#children.length);
    this.memory = this.#takesPayloads ? this.#own : this.#children[0]!.memory;
    const alignments = this.#children.map(({ bufferAlignment }) => bufferAlignment);
    this.bufferAlignment = Math.max(16, this.#node.alignment, ...alignments);
    this.completionFds = this.#children.flatMap(({ completionFds }) => completionFds);
    this.#agenda = options.agenda ?? new Agenda();
    this.#runsAgenda = options.agenda === undefined || options.runsAgenda === true;
    const log = (level: LogLevel, text: string) => options.log(level, text);
    const counter = new CallCounter(options.watch);
    this.#host = new Host(
      name,
      this.#own,
      counter,
      prepared.functions,
      this.#agenda,
      log,
    );
    this.#host.pends = abiMinor(prepared.manifest.abi) >= 1;
    this.#below = new Below(this.#host, this.#children, this.#node, prepared.imports);
    this.#calls = instantiate(
      prepared,
      memories,
      options.watch.memory,
      this.#host,
      this.#listing,
      this.#below,
    );
    const { sb_done: done } = this.#calls;
    this.#host.sbDone = done ?? null;
    this.#own.allocator = allocatorOf(this.#host, this.#calls);
  }

  /** Instantiates a plugin, gives it its parameters and asks whether it is ready. Throws BlockError. */
  static create(
    prepared: PreparedPlugin,
    values: readonly ParameterValue[],
    options: PluginOptions,
  ): PluginDevice {
    const device = new PluginDevice(prepared, options);
    for (const value of values) deliver(device.#host, device.#calls, value);
    const { sb_ready: ready } = device.#calls;
    const what = `start plugin "${prepared.manifest.name}"`;
    if (ready) device.#host.controlStatus("sb_ready", what, () => ready());
    return device;
  }

  list(): ExportEntry[] {
    const { sb_list: list } = this.#calls;
    const [first] = this.#children;
    if (!list && first !== undefined) return first.list();
    if (!list) return [{ name: "", description: this.#prepared.manifest.description }];
    this.#ask(Ask.List, "sb_list", "list the exports", list);
    return this.#listing.entries;
  }

  defaultExport(): string | null {
    const { sb_default: getDefault } = this.#calls;
    if (getDefault) {
      this.#ask(Ask.Default, "sb_default", "tell the default export", getDefault);
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

  open(name: string, options: OpenOptions): OpenExport {
    const what = `open the export ${quoted(name)}`;
    if (this.#children.length > 0) return this.#openAbove(what, name, options);
    if (name !== "" && !this.#calls.sb_list) {
      throw new BlockError(Errno.ENOENT, `cannot ${what}: there is no such export`);
    }
    const flags = options.readOnly ? OpenFlag.ReadOnly : 0;
    const handle = this.#openHandle(what, name, flags, options.peer);
    try {
      const info = this.#describeExport(handle, name, options.readOnly);
      return this.#exportOf(handle, info, null);
    } catch (error) {
      this.#close(handle);
      throw error;
    }
  }

  get nextMs(): number {
    let nextMs = this.#runsAgenda ? this.#agenda.nextMs : Infinity;
    for (const child of this.#children) nextMs = Math.min(nextMs, child.nextMs);
    return nextMs;
  }

  get busy(): boolean {
    return this.#below.next.own > 0 || this.#children.some((child) => child.busy);
  }

  /** Metrics of the manifest with their values now. */
  metrics(): { name: string; value: number }[] {
    return this.#node.metrics.map(({ name }, index) => {
      return { name, value: this.#below.metrics[index]! };
    });
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
    if (this.#runsAgenda) this.#agenda.run(performance.now());
  }

  submitQueued(): void {
    for (const child of this.#children) child.submitQueued();
  }

  /** What is above has to be done first: it may still write here. */
  finish(): number {
    const { sb_finish: finish } = this.#calls;
    const { next } = this.#below;
    if (!this.#finishing && finish) this.#quietly("sb_finish", () => finish());
    this.#finishing = true;
    if (finish && (next.own > 0 || this.#host.timers > 0)) return next.ownEnded;
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

  close(): void {
    const { sb_stop: stop } = this.#calls;
    if (stop) this.#quietly("sb_stop", () => stop());
    this.#agenda.cancelAll(this.#host);
    this.#below.closeBackground();
    for (const child of this.#children) child.close();
  }

  /** Whether the payloads of writes have to lie in its own memory. */
  get #takesPayloads(): boolean {
    if (this.#children.length === 0) return true;
    return this.#exports.has("sb_pwrite") && this.#node.calls.pwrite === "transform";
  }

  /** Opens the export below and then this one above it. */
  #openAbove(what: string, name: string, options: OpenOptions): OpenExport {
    const handles = this.#below.next.handles;
    const next = this.#below.open(name, options);
    let handle = -1;
    try {
      const flags = options.readOnly ? OpenFlag.ReadOnly : 0;
      handle = this.#calls.sb_open
        ? this.#openHandle(what, name, flags, options.peer)
        : this.#below.freeHandle();
      if (handles.has(handle)) {
        throw this.#host.broken("sb_open", `handle ${handle} is open already`);
      }
      handles.set(handle, next);
      const info = this.#describeExport(handle, name, options.readOnly);
      return this.#exportOf(handle, info, this.#exportBelow(next));
    } catch (error) {
      if (handles.get(handle) === next.latest) {
        this.#close(handle);
        handles.delete(handle);
      }
      next.latest.close();
      throw error;
    }
  }

  #exportBelow(handle: NextHandle): ExportBelow {
    const [passable] = this.#children.length === 1 ? this.#children : [];
    const itself = this.#node.calls.pwrite === "transform" && this.#exports.has("sb_pwrite");
    return {
      handle,
      passes: (command) => {
        const call = CALLS[command];
        if (passable === undefined || call === undefined) return false;
        // What a filter writes by other means, nothing below knows of.
        if (itself && NOT_PAST_WRITES.includes(call)) return false;
        return !this.#exports.has(`sb_${call}`);
      },
      forwardsPayloads: !this.#takesPayloads,
    };
  }

  #exportOf(handle: number, info: ExportInfo, below: ExportBelow | null): PluginExport {
    this.#below.opened.set(info, handle);
    const onClose = (one: number) => {
      this.#below.opened.delete(info);
      this.#close(one);
      if (below === null) return;
      this.#below.next.handles.delete(one);
      below.handle.latest.close();
    };
    return new PluginExport(this.#host, this.#calls, handle, info, onClose, below);
  }

  /** Opens the export and returns its handle. */
  #openHandle(what: string, name: string, flags: number, peer: string): number {
    const host = this.#host;
    const bytes = new TextEncoder().encode(name);
    host.peer = peer;
    try {
      return withBytes(host, bytes, (pointer) => {
        const { sb_open: open } = this.#calls;
        const handle = host.control("sb_open", () => open!(pointer, bytes.length, flags));
        if (handle < 0) throw host.failed("sb_open", what, -handle);
        return handle;
      });
    } finally {
      host.peer = "";
    }
  }

  #describeExport(handle: number, name: string, readOnly: boolean): ExportInfo {
    const info = this.#info(handle);
    const size = this.#size(handle);
    const can = capabilitiesOf(info, readOnly);
    return {
      name,
      description: this.#description(handle),
      sizeHigh: highOf(size),
      sizeLow: lowOf(size),
      readOnly: readOnly || can.write === Support.None,
      rotational: info.rotational === 1,
      blockSize: blockSizeOf(info),
      can,
    };
  }

  #size(handle: number): bigint {
    const { sb_size: getSize } = this.#calls;
    if (!getSize) return this.#below.nextSize(handle, 0);
    const size = this.#host.control("sb_size", () => getSize(handle));
    // An errno out of range becomes the complaint that it is.
    if (size < 0n) throw this.#host.failed("sb_size", "get the size of an export", Number(-size));
    return size;
  }

  #info(handle: number): Info {
    const host = this.#host;
    const below = this.#below.next.handles.get(handle);
    const info = below === undefined
      ? defaultInfo(this.#exports, this.#instances)
      : filterInfo(this.#exports, this.#node, below.children.map((child) => child.info));
    const { sb_info: getInfo } = this.#calls;
    if (!getInfo) return info;
    return withBytes(host, new Uint8Array(INFO_BYTES), (pointer) => {
      writeInfo(this.#own.view, pointer, info);
      host.controlStatus("sb_info", "get the capabilities of an export", () => {
        return getInfo(handle, pointer);
      });
      const got = readInfo(this.#own.view, pointer);
      const fault = infoFault(got, this.#exports, below === undefined ? null : info);
      if (fault !== "") throw host.broken("sb_info", fault);
      return got;
    });
  }

  #description(handle: number): string {
    const { sb_describe: describe } = this.#calls;
    const below = this.#below.next.handles.get(handle);
    if (!describe && below !== undefined) return below.children[0]!.info.description;
    if (!describe) return this.#prepared.manifest.description;
    this.#ask(Ask.Description, "sb_describe", "describe the export", () => describe(handle));
    return this.#listing.entries[0]?.description ?? "";
  }

  #ask(ask: number, call: string, what: string, run: () => number): void {
    this.#listing.begin(ask);
    try {
      this.#host.controlStatus(call, what, run);
    } finally {
      this.#listing.asked = Ask.Nothing;
    }
  }

  #close(handle: number): void {
    const { sb_close: close } = this.#calls;
    if (close) this.#quietly("sb_close", () => close(handle));
  }

  /** Calls something whose failure nobody can do anything about. It is logged. */
  #quietly(call: string, run: () => void): void {
    try {
      this.#host.control(call, run);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
  }
}

/** What does not pass a filter that writes by other means and has no function for it. */
const NOT_PAST_WRITES: readonly DataCall[] = ["trim", "zero", "extents"];

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
