// SPDX-License-Identifier: MIT
// Finds out what an open export is: its size, what it can do, and what is said about it (ABI, "Lifecycle",
// "Info").

import { NotYet } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { type BlockSize, type ExportInfo, Support } from "../block/export.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import type { ZoneInfo } from "../block/zones.ts";
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
  infoBytes,
  infoFault,
  readInfo,
  writeInfo,
} from "./info.ts";
import { Ask, type Listing } from "./listing.ts";
import { abiMinor } from "./manifest_check.ts";
import { type NodeManifest, PLAIN_NODE } from "./manifest_node.ts";
import type { PluginExport } from "./opened.ts";
import type { PreparedPlugin } from "./prepare.ts";
import { emptyZones, readZones, zonesAbove } from "./zones.ts";

/** What of an instance is needed to open and describe its exports. */
export interface Described {
  prepared: PreparedPlugin;
  /** How many instances serve the same exports. */
  instances: number;
  host: Host;
  calls: PluginCalls;
  below: Below;
  listing: Listing;
}

/** What is known of an export before its size. */
export interface Begun {
  info: Info;
  advertised: BlockSize | undefined;
}

/** See the top of this file. */
export class Describing {
  readonly #prepared: PreparedPlugin;
  readonly #exports: ReadonlySet<string>;
  readonly #node: NodeManifest;
  readonly #instances: number;
  readonly #host: Host;
  readonly #calls: PluginCalls;
  readonly #below: Below;
  readonly #listing: Listing;

  constructor({ prepared, instances, host, calls, below, listing }: Described) {
    this.#prepared = prepared;
    this.#exports = new Set(prepared.exports);
    this.#node = prepared.manifest.node ?? PLAIN_NODE;
    this.#instances = instances;
    this.#host = host;
    this.#calls = calls;
    this.#below = below;
    this.#listing = listing;
  }

  /** Begins to find out what the open export `handle` is. Throws BlockError. */
  begin(handle: number): Begun {
    const info = this.#info(handle);
    return { info, advertised: this.#host.advice ?? this.#adviceBelow(handle, info) };
  }

  /**
   * Finds out the rest. Throws BlockError; or NotYet, if `mayDefer`, where something is being read for
   * that: then to be called again when that has ended.
   */
  finish(
    handle: number,
    { info, advertised }: Begun,
    name: string,
    { readOnly, mayDefer = false }: { readOnly: boolean; mayDefer?: boolean },
  ): ExportInfo {
    const size = this.#size(handle, mayDefer);
    const can = capabilitiesOf(info, readOnly);
    const found: ExportInfo = {
      name,
      description: this.#description(handle),
      sizeHigh: highOf(size),
      sizeLow: lowOf(size),
      readOnly: readOnly || can.write === Support.None,
      rotational: info.rotational === 1,
      blockSize: blockSizeOf(info),
      ...advertised !== undefined && { advertised },
      ...this.#wantsWholeWrites(handle) && { wholeWrites: true },
      can,
    };
    const zones = this.#zones(handle, found);
    if (zones !== null) found.zones = zones;
    return found;
  }

  /** The zones of an export that is otherwise known; null where it has none. Throws BlockError. */
  #zones(handle: number, info: ExportInfo): ZoneInfo | null {
    const below = this.#below.next.handles.get(handle);
    if (below !== undefined) {
      const { name, node } = this.#prepared.manifest;
      return zonesAbove(name, node ?? PLAIN_NODE, info, below.children.map((child) => child.info));
    }
    const { sb_zones: getZones } = this.#calls;
    if (!getZones) return null;
    const host = this.#host;
    return withBytes(host, emptyZones(), (pointer) => {
      host.controlStatus("sb_zones", "get the zones of an export", () => getZones(handle, pointer));
      const zones = readZones(host.memory.view, pointer, info);
      if (typeof zones === "string") throw host.broken("sb_zones", zones);
      return zones;
    });
  }

  /** What it passes on has to be whole where somebody below wants that. */
  #wantsWholeWrites(handle: number): boolean {
    const children = this.#below.next.handles.get(handle)?.children ?? [];
    return this.#node.wholeWrites || children.some(({ info }) => info.wholeWrites === true);
  }

  #size(handle: number, mayDefer: boolean): bigint {
    const { sb_size: getSize } = this.#calls;
    if (!getSize) return this.#below.nextSize(handle, 0);
    const size = this.#host.control("sb_size", () => getSize(handle));
    // It has to read first, below, to know.
    if (size === -BigInt(Errno.EAGAIN)) {
      if (mayDefer && this.#below.asks(handle) !== null) throw new NotYet();
      if (this.#below.awaitRequests(handle)) return this.#size(handle, mayDefer);
    }
    // An errno out of range becomes the complaint that it is.
    if (size < 0n) throw this.#host.failed("sb_size", "get the size of an export", Number(-size));
    return size;
  }

  /** What is advised below a filter that says nothing about block sizes itself. */
  #adviceBelow(handle: number, info: Info): BlockSize | undefined {
    const children = this.#below.next.handles.get(handle)?.children ?? [];
    const [only] = children.length === 1 ? children : [];
    if (only === undefined) return undefined;
    const { minimum, preferred, maximum } = only.info.blockSize;
    const same = info.blockMinimum === minimum && info.blockPreferred === preferred &&
      info.blockMaximum === maximum;
    return same ? only.info.advertised : undefined;
  }

  #info(handle: number): Info {
    const host = this.#host;
    host.advice = null;
    const below = this.#below.next.handles.get(handle);
    const info = below === undefined
      ? defaultInfo(this.#exports, this.#instances)
      : filterInfo(this.#exports, this.#node, below.children.map((child) => child.info));
    const { sb_info: getInfo } = this.#calls;
    if (!getInfo) return info;
    const bytes = infoBytes(abiMinor(this.#prepared.manifest.abi));
    return withBytes(host, new Uint8Array(bytes), (pointer) => {
      writeInfo(host.memory.view, pointer, info, bytes);
      host.takesAdvice = true;
      try {
        host.controlStatus("sb_info", "get the capabilities of an export", () => {
          return getInfo(handle, pointer);
        });
      } finally {
        host.takesAdvice = false;
      }
      const got = readInfo(host.memory.view, pointer, info, bytes);
      const fault = infoFault(got, this.#exports, below === undefined ? null : info, bytes);
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

  /** What is below has another size, from which the filter's own may follow. */
  follow(handle: number, opened: PluginExport): void {
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
}
