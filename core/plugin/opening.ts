// SPDX-License-Identifier: MIT
// Opens exports of a plugin or filter (ABI, "Lifecycle", "Opening"). What they are is in describing.ts.

import type { OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { Command } from "../block/request.ts";
import { OpenFlag } from "./abi.ts";
import { withBytes } from "./allocate.ts";
import type { Below } from "./below.ts";
import type { PluginCalls } from "./calls.ts";
import { type Described, Describing } from "./describing.ts";
import type { Host } from "./host.ts";
import type { DataCall } from "./manifest_node.ts";
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

/** Whether a filter answers writes by other means than passing them on, for which it needs payloads. */
export function writesItself({ exports, manifest }: PreparedPlugin): boolean {
  return exports.includes("sb_pwrite") && manifest.node?.calls.pwrite === "transform";
}

/** See the top of this file. */
export class Opening {
  readonly #exports: ReadonlySet<string>;
  readonly #host: Host;
  readonly #calls: PluginCalls;
  readonly #below: Below;
  readonly #describing: Describing;
  /** It writes by other means than passing writes on. */
  readonly #itself: boolean;

  constructor(described: Described) {
    const { prepared, host, calls, below } = described;
    this.#exports = new Set(prepared.exports);
    this.#host = host;
    this.#calls = calls;
    this.#below = below;
    this.#describing = new Describing(described);
    this.#itself = writesItself(prepared);
  }

  /** Opens an export, and that of the same name below it. Throws BlockError. */
  open(name: string, options: OpenOptions): PluginExport {
    const what = `open the export ${quoted(name)}`;
    if (this.#below.children.length > 0) return this.#above(what, name, options);
    if (name !== "" && !this.#calls.sb_list) {
      throw new BlockError(Errno.ENOENT, `cannot ${what}: there is no such export`);
    }
    const flags = options.readOnly ? OpenFlag.ReadOnly : 0;
    const handle = this.#openHandle(what, name, flags, options.peer);
    try {
      const info = this.#describing.describe(handle, name, options.readOnly);
      return this.#exportOf(handle, info, null);
    } catch (error) {
      this.#close(handle);
      throw error;
    }
  }

  /** Opens the export below and then this one above it. */
  #above(what: string, name: string, options: OpenOptions): PluginExport {
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
      const info = this.#describing.describe(handle, name, options.readOnly);
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
        // Answers have to be copied on their way; see Next.
        if (command === Command.Read && this.#below.next.copiesStable) return false;
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
        this.#describing.follow(handle, opened);
      });
    };
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

  #close(handle: number): void {
    const { sb_close: close } = this.#calls;
    if (close) this.#host.quietly("sb_close", () => close(handle));
  }
}
