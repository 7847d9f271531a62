// SPDX-License-Identifier: MIT
// Opens exports of a plugin or filter and finds out what they can do (ABI, "Lifecycle", "Opening").

import type { OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { Command } from "../block/request.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import { OpenFlag } from "./abi.ts";
import { withBytes } from "./allocate.ts";
import type { Below } from "./below.ts";
import type { PluginCalls } from "./calls.ts";
import { filterInfo } from "./filter_info.ts";
import type { Host } from "./host.ts";
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
import { Ask, type Listing } from "./listing.ts";
import { type DataCall, type NodeManifest, PLAIN_NODE } from "./manifest_node.ts";
import type { NextHandle } from "./next_handle.ts";
import { type Below as ExportBelow, PluginExport } from "./opened.ts";
import type { PreparedPlugin } from "./prepare.ts";
import { quoted } from "./text.ts";

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

/** What does not pass a filter that writes by other means and has no function for it. */
const NOT_PAST_WRITES: readonly DataCall[] = ["trim", "zero", "extents"];

/** What of an instance is needed to open its exports. */
export interface OpeningOptions {
  prepared: PreparedPlugin;
  /** How many instances serve the same exports. */
  instances: number;
  host: Host;
  calls: PluginCalls;
  below: Below;
  listing: Listing;
}

/** Whether a filter answers writes by other means than passing them on, for which it needs payloads. */
export function writesItself({ exports, manifest }: PreparedPlugin): boolean {
  return exports.includes("sb_pwrite") && manifest.node?.calls.pwrite === "transform";
}

/** See the top of this file. */
export class Opening {
  readonly #prepared: PreparedPlugin;
  readonly #exports: ReadonlySet<string>;
  readonly #node: NodeManifest;
  readonly #instances: number;
  readonly #host: Host;
  readonly #calls: PluginCalls;
  readonly #below: Below;
  readonly #listing: Listing;
  /** It writes by other means than passing writes on. */
  readonly #itself: boolean;

  constructor({ prepared, instances, host, calls, below, listing }: OpeningOptions) {
    this.#prepared = prepared;
    this.#exports = new Set(prepared.exports);
    this.#node = prepared.manifest.node ?? PLAIN_NODE;
    this.#instances = instances;
    this.#host = host;
    this.#calls = calls;
    this.#below = below;
    this.#listing = listing;
    this.#itself = writesItself(prepared);
  }

  /** Opens an export, and that of the same name below it. Throws BlockError. */
  open(name: string, options: OpenOptions): OpenExport {
    const what = `open the export ${quoted(name)}`;
    if (this.#below.children.length > 0) return this.#above(what, name, options);
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

  /** Opens the export below and then this one above it. */
  #above(what: string, name: string, options: OpenOptions): OpenExport {
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
      const opened = this.#exportOf(handle, info, this.#exportBelow(next));
      this.#followResizes(handle, opened, next.latest);
      return opened;
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
    const [passable] = this.#below.children.length === 1 ? this.#below.children : [];
    return {
      handle,
      passes: (command) => {
        const call = CALLS[command];
        if (passable === undefined || call === undefined) return false;
        // What a filter writes by other means, nothing below knows of.
        if (this.#itself && NOT_PAST_WRITES.includes(call)) return false;
        return !this.#exports.has(`sb_${call}`);
      },
      forwardsPayloads: !this.#itself,
      forward: (_handle, id, countHigh, countLow, offsetHigh, offsetLow, flags) => {
        const { next } = this.#below;
        return next.forward(id, 0, 0, countHigh, countLow, offsetHigh, offsetLow, flags, 0);
      },
    };
  }

  #exportOf(handle: number, info: ExportInfo, below: ExportBelow | null): PluginExport {
    const onClose = (one: number) => {
      this.#below.opened.delete(opened);
      this.#close(one);
      if (below === null) return;
      this.#below.next.handles.delete(one);
      below.handle.latest.onResize = null;
      below.handle.latest.close();
    };
    const opened = new PluginExport(this.#host, this.#calls, handle, info, onClose, below);
    this.#below.opened.set(opened, handle);
    return opened;
  }

  /** Lets `opened` follow the size of what is below it, `next`. */
  #followResizes(handle: number, opened: PluginExport, next: NextHandle): void {
    let waits = false;
    next.onResize = () => {
      if (waits) return;
      waits = true;
      this.#host.agenda.later(() => {
        waits = false;
        this.#follow(handle, opened);
      });
    };
  }

  /** What is below has another size, from which the filter's own may follow. */
  #follow(handle: number, opened: PluginExport): void {
    if (!this.#below.opened.has(opened)) return;
    const { sb_size: getSize } = this.#calls;
    try {
      const size = getSize
        ? this.#host.control("sb_size", () => getSize(handle))
        : this.#below.nextSize(handle, 0);
      if (size < 0n) throw this.#host.failed("sb_size", "get the new size", Number(-size));
      opened.resized(highOf(size), lowOf(size));
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#host.log("resize", "warning", `the size stays as it was: ${error.message}`);
    }
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
    // It has to read first, below, to know.
    if (size === -BigInt(Errno.EAGAIN) && this.#below.awaitRequests(handle)) {
      return this.#size(handle);
    }
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
      writeInfo(host.memory.view, pointer, info);
      host.controlStatus("sb_info", "get the capabilities of an export", () => {
        return getInfo(handle, pointer);
      });
      const got = readInfo(host.memory.view, pointer);
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
    this.#listing.ask(
      this.#host,
      Ask.Description,
      "sb_describe",
      "describe the export",
      () => describe(handle),
    );
    const [entry] = this.#listing.entries;
    return (entry ?? below?.children[0]?.info)?.description ?? "";
  }

  #close(handle: number): void {
    const { sb_close: close } = this.#calls;
    if (close) this.#host.quietly("sb_close", () => close(handle));
  }
}
