// SPDX-License-Identifier: MIT
// A running plugin as a Device: instantiates the prepared module, gives it its parameters, and opens
// its exports (ABI, "Lifecycle").

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { type ExportEntry, type ExportInfo, Support } from "../block/export.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import { OpenFlag } from "./abi.ts";
import { allocatorOf, withBytes } from "./allocate.ts";
import type { PluginCalls } from "./calls.ts";
import { deliver } from "./deliver.ts";
import { Host } from "./host.ts";
import {
  blockSizeOf,
  capabilitiesOf,
  defaultInfo,
  type Info,
  INFO_BYTES,
  infoFault,
  readInfo,
  writeInfo,
} from "./info.ts";
import { instantiate, makeMemory } from "./instantiate.ts";
import { Ask, Listing } from "./listing.ts";
import { type MemoryRelease, PluginMemory } from "./memory.ts";
import { PluginExport } from "./opened.ts";
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
}

/** See the top of this file. */
export class PluginDevice implements Device {
  readonly memory: PluginMemory;
  readonly bufferAlignment = 16;
  readonly completionFd = -1;

  readonly #host: Host;
  readonly #listing = new Listing();
  readonly #calls: PluginCalls;
  readonly #prepared: PreparedPlugin;
  readonly #exports: ReadonlySet<string>;
  readonly #instances: number;

  private constructor(prepared: PreparedPlugin, options: PluginOptions) {
    const { name } = prepared.manifest;
    this.#prepared = prepared;
    this.#exports = new Set(prepared.exports);
    this.#instances = options.instances;
    const memories = prepared.memories.map(makeMemory);
    this.memory = new PluginMemory(memories[prepared.memory]!, options.memoryRelease ?? null);
    const log = (level: LogLevel, text: string) => options.log(level, text);
    const counter = new CallCounter(options.watch);
    this.#host = new Host(name, this.memory, counter, prepared.functions, log);
    this.#calls = instantiate(
      prepared,
      memories,
      options.watch.memory,
      this.#host,
      this.#listing,
    );
    this.memory.allocator = allocatorOf(this.#host, this.#calls);
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
    if (!this.#calls.sb_list) return "";
    const entries = this.list();
    if (entries.some(({ name }) => name === "")) return "";
    return entries.length === 1 ? entries[0]!.name : null;
  }

  open(name: string, options: OpenOptions): OpenExport {
    const what = `open the export ${quoted(name)}`;
    if (name !== "" && !this.#calls.sb_list) {
      throw new BlockError(Errno.ENOENT, `cannot ${what}: there is no such export`);
    }
    const flags = options.readOnly ? OpenFlag.ReadOnly : 0;
    const handle = this.#openHandle(what, name, flags, options.peer);
    try {
      const info = this.#describeExport(handle, name, options.readOnly);
      return new PluginExport(this.#host, this.#calls, handle, info, (one) => this.#close(one));
    } catch (error) {
      this.#close(handle);
      throw error;
    }
  }

  reap(): void {}
  submitQueued(): void {}

  close(): void {
    const { sb_stop: stop } = this.#calls;
    if (stop) this.#quietly("sb_stop", () => stop());
  }

  /** Opens the export and returns its handle. */
  #openHandle(what: string, name: string, flags: number, peer: string): number {
    const host = this.#host;
    const bytes = new TextEncoder().encode(name);
    host.peer = peer;
    try {
      return withBytes(host, bytes, (pointer) => {
        const { sb_open: open } = this.#calls;
        const handle = host.control("sb_open", () => open(pointer, bytes.length, flags));
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
    const size = this.#host.control("sb_size", () => this.#calls.sb_size(handle));
    // An errno out of range becomes the complaint that it is.
    if (size < 0n) throw this.#host.failed("sb_size", "get the size of an export", Number(-size));
    return size;
  }

  #info(handle: number): Info {
    const host = this.#host;
    const info = defaultInfo(this.#exports, this.#instances);
    const { sb_info: getInfo } = this.#calls;
    if (!getInfo) return info;
    return withBytes(host, new Uint8Array(INFO_BYTES), (pointer) => {
      writeInfo(this.memory.view, pointer, info);
      host.controlStatus("sb_info", "get the capabilities of an export", () => {
        return getInfo(handle, pointer);
      });
      const got = readInfo(this.memory.view, pointer);
      const fault = infoFault(got, this.#exports);
      if (fault !== "") throw host.broken("sb_info", fault);
      return got;
    });
  }

  #description(handle: number): string {
    const { sb_describe: describe } = this.#calls;
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
