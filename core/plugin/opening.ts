// SPDX-License-Identifier: MIT
// Opens exports of a plugin or filter (ABI, "Lifecycle", "Opening"). What they are is in describing.ts.

import { NotYet, type OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { Command } from "../block/request.ts";
import { OpenFlag } from "./abi.ts";
import { withBytes } from "./allocate.ts";
import type { Asked, Below } from "./below.ts";
import type { PluginCalls } from "./calls.ts";
import { type Begun, type Described, Describing } from "./describing.ts";
import type { Host } from "./host.ts";
import { type DataCall, isLater, type NodeManifest, PLAIN_NODE } from "./manifest_node.ts";
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
  [Command.SecureErase]: "secure_erase",
  [Command.Ioctl]: "ioctl",
};

/** So long after its time what has begun to be opened is given up, if nobody asks for it. */
const STALE_MS = 1000;

/** An export whose size is not known yet. */
interface Unfinished {
  handle: number;
  next: NextHandle;
  begun: Begun;
  /** What has to end before its size is asked for again; null: nothing. */
  asks: Asked | null;
  /** When it takes longer than a call may (performance.now()). */
  endMs: number;
}

/** What does not pass a filter that writes by other means and has no function for it. */
const NOT_PAST_WRITES: readonly DataCall[] = ["trim", "zero", "extents", "secure_erase"];

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
  readonly #node: NodeManifest;
  /** It writes by other means than passing writes on. */
  readonly #itself: boolean;
  /** By who asks for what. */
  readonly #unfinished = new Map<string, Unfinished>();

  constructor(described: Described) {
    const { prepared, host, calls, below } = described;
    this.#exports = new Set(prepared.exports);
    this.#host = host;
    this.#calls = calls;
    this.#below = below;
    this.#describing = new Describing(described);
    this.#node = prepared.manifest.node ?? PLAIN_NODE;
    this.#itself = writesItself(prepared);
  }

  /** Opens an export, and that of the same name below it. Throws BlockError or NotYet. */
  open(name: string, options: OpenOptions): PluginExport {
    const what = `open the export ${quoted(name)}`;
    if (this.#below.children.length > 0) return this.#above(what, name, options);
    if (name !== "" && !this.#calls.sb_list) {
      throw new BlockError(Errno.ENOENT, `cannot ${what}: there is no such export`);
    }
    const flags = options.readOnly ? OpenFlag.ReadOnly : 0;
    const handle = this.#openHandle(what, name, flags, options.peer);
    try {
      const begun = this.#describing.begin(handle);
      const info = this.#describing.finish(handle, begun, name, options);
      return this.#exportOf(handle, info, null);
    } catch (error) {
      this.#close(handle);
      throw error;
    }
  }

  /** Opens the export below and then this one above it. */
  #above(what: string, name: string, options: OpenOptions): PluginExport {
    const { readOnly, peer, mayDefer = false } = options;
    const key = mayDefer ? `${readOnly} ${peer} ${name}` : "";
    this.#dropStale();
    const one = this.#unfinished.get(key) ?? this.#begin(what, name, options);
    const { handle, next } = one;
    try {
      if (one.asks !== null && this.#below.isUnderWay(handle, one.asks)) throw new NotYet();
      one.asks = null;
      const info = this.#describing.finish(handle, one.begun, name, options);
      this.#unfinished.delete(key);
      const opened = this.#exportOf(handle, info, this.#exportBelow(next));
      this.#followResizes(handle, opened, next.latest);
      return opened;
    } catch (error) {
      if (error instanceof NotYet && performance.now() < one.endMs) {
        one.asks ??= this.#below.asks(handle);
        this.#unfinished.set(key, one);
        throw error;
      }
      this.#unfinished.delete(key);
      this.#giveUp(one);
      if (!(error instanceof NotYet)) throw error;
      const { timeoutMs } = this.#host;
      throw new BlockError(
        Errno.ETIMEDOUT,
        `cannot get the size of an export: nothing was answered within ${timeoutMs} ms`,
      );
    }
  }

  /** Opens what is below and gets a handle for it. */
  #begin(what: string, name: string, options: OpenOptions): Unfinished {
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
      const begun = this.#describing.begin(handle);
      const endMs = performance.now() + this.#host.timeoutMs;
      return { handle, next, begun, endMs, asks: null };
    } catch (error) {
      if (handles.get(handle) === next.latest) this.#giveUp({ handle, next });
      else next.latest.close();
      throw error;
    }
  }

  #giveUp({ handle, next }: Pick<Unfinished, "handle" | "next">): void {
    this.#close(handle);
    this.#below.next.handles.delete(handle);
    next.latest.close();
  }

  /** Gives up what clients have begun to open who have not asked again. */
  #dropStale(): void {
    const now = performance.now();
    for (const [key, one] of this.#unfinished) {
      if (now < one.endMs + STALE_MS) continue;
      this.#unfinished.delete(key);
      this.#giveUp(one);
    }
  }

  /** Nobody opens anything any more. */
  abandon(): void {
    for (const one of this.#unfinished.values()) this.#giveUp(one);
    this.#unfinished.clear();
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
        if (isLater(call) && this.#node.calls[call] !== "pass") return false;
        return !this.#exports.has(`sb_${call}`);
      },
      forwardsPayloads: !this.#itself,
      forwardsIoctls: this.#node.calls.ioctl !== "transform",
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
