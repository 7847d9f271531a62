// SPDX-License-Identifier: MIT
// What an instance has below it and what it tells while it runs: the host's side of node_imports.ts.

import type { Device, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { toBigInt } from "../block/uint64.ts";
import { FEATURES } from "./abi.ts";
import { isCapability } from "./capabilities.ts";
import { type Grants, isGranted } from "./grants.ts";
import { runUntil } from "./await.ts";
import type { Host } from "./host.ts";
import { INFO_BYTES_MIN, infoOf, writeInfo } from "./info.ts";
import type { NodeManifest } from "./manifest_node.ts";
import { Metrics } from "./metrics.ts";
import { Next } from "./next.ts";
import { NextHandle } from "./next_handle.ts";
import type { NodeServices } from "./node_imports.ts";
import type { PluginExport } from "./opened.ts";

/** Handles that a filter opens itself are numbered from here on, away from its own. */
const BACKGROUND_FIRST = 0x40000000;
/** As many of them may be open. */
const BACKGROUND_MAX = 64;
/** Calls after which memory that answers from below lie in may be something else. */
const CLEARING = ["next_trim", "next_zero", "next_secure_erase", "next_ioctl"];

/** What the size of an export waits for: requests about it, or all of the filter's own. */
export type Asked = "export" | "any";

/** See the top of this file. */
export class Below implements NodeServices {
  readonly next: Next;
  readonly children: readonly Device[];
  /** Values of the metrics of the manifest. */
  readonly metrics: Metrics;
  /** Exports of this instance that are open, with their handles. */
  readonly opened = new Map<PluginExport, number>();

  readonly #host: Host;
  readonly #node: NodeManifest;
  /** It may trim, zero or erase what is below it, or tell it to. */
  readonly #clears: boolean;
  readonly #grants: Grants;
  readonly #background = new Set<number>();
  #nextBackground = BACKGROUND_FIRST;
  #nextOwn = 0;

  constructor(
    host: Host,
    children: readonly Device[],
    node: NodeManifest,
    imports: readonly string[],
    grants: Grants,
  ) {
    this.#grants = grants;
    this.#host = host;
    this.children = children;
    this.#node = node;
    this.metrics = new Metrics(node.metrics);
    this.#clears = CLEARING.some((name) => imports.includes(name));
    this.next = new Next(host, this.#clears && !node.nextReadOnly);
  }

  get childCount(): number {
    return this.children.length;
  }

  /** Opens the export `name` of all children. Throws BlockError. */
  open(name: string, options: OpenOptions): NextHandle {
    const readOnly = options.readOnly || this.#node.nextReadOnly;
    return NextHandle.open(this.children, name, { ...options, readOnly });
  }

  /** A handle that nothing is open by, for a filter that does not number its own. */
  freeHandle(): number {
    while (this.next.handles.has(this.#nextOwn)) this.#nextOwn++;
    return this.#nextOwn++ % BACKGROUND_FIRST;
  }

  nextSize(handle: number, child: number): bigint {
    const info = this.#info("next_size", handle, child);
    return info === null ? BigInt(-Errno.EBADF) : toBigInt(info.sizeHigh, info.sizeLow);
  }

  nextInfo(handle: number, child: number, pointer: number): number {
    const info = this.#info("next_info", handle, child);
    if (info === null) return Errno.EBADF;
    const { memory } = this.#host;
    memory.refresh();
    const inside = memory.contains(pointer, 4);
    const size = inside ? memory.view.getUint32(pointer, true) : 0;
    if (!inside || !memory.contains(pointer, size) || size < INFO_BYTES_MIN) {
      this.#host.lied(`next_info: there is no struct of ${INFO_BYTES_MIN} bytes at ${pointer}`);
      return Errno.EINVAL;
    }
    writeInfo(memory.view, pointer, infoOf(info), size);
    return 0;
  }

  /**
   * Waits for what the filter has asked below about the export `handle`. False where that was nothing.
   * Throws BlockError when it takes longer than a call may.
   */
  awaitRequests(handle: number): boolean {
    const { agenda, timeoutMs } = this.#host;
    const asked = this.asks(handle);
    if (asked === null) return false;
    runUntil(this.children, agenda, timeoutMs, () => !this.isUnderWay(handle, asked));
    return true;
  }

  /** What the filter has under way below that the size of the export `handle` may wait for. */
  asks(handle: number): Asked | null {
    const open = this.next.handles.get(handle);
    if (open === undefined) return null;
    return open.outstanding > 0 ? "export" : this.next.own > 0 ? "any" : null;
  }

  /** Whether there is still some of what `asks` has told. */
  isUnderWay(handle: number, asked: Asked): boolean {
    if (asked === "any") return this.next.own > 0;
    return (this.next.handles.get(handle)?.outstanding ?? 0) > 0;
  }

  childDevice(call: string, child: number): Device | null {
    const device = this.children[child];
    if (device === undefined) this.#host.lied(`${call}: there is no child ${child}`);
    return device ?? null;
  }

  openNext(name: string, readOnly: boolean): number {
    if (this.#background.size >= BACKGROUND_MAX) {
      throw new BlockError(Errno.EMFILE, `cannot open more than ${BACKGROUND_MAX} handles`);
    }
    const { name: plugin } = this.#host;
    const handle = NextHandle.open(this.children, name, { readOnly, peer: `plugin:${plugin}` });
    if (!readOnly && this.#clears) this.next.copiesStable = true;
    const number = this.#nextBackground++;
    this.next.handles.set(number, handle);
    this.#background.add(number);
    return number;
  }

  closeNext(handle: number): void {
    if (!this.#background.delete(handle)) {
      this.#host.lied(`next_close: there is no handle ${handle} of next_open`);
      return;
    }
    this.next.handles.get(handle)!.close();
    this.next.handles.delete(handle);
  }

  reopenNext(handle: number, readOnly: boolean): void {
    const before = this.next.handles.get(handle);
    if (before === undefined) {
      this.#host.lied(`next_reopen: there is no handle ${handle}`);
      throw new BlockError(Errno.EBADF, "there is no such handle");
    }
    this.next.handles.set(handle, before.reopen(this.children, readOnly));
  }

  /** Closes what the filter has left open. */
  closeBackground(): void {
    for (const handle of this.#background) this.next.handles.get(handle)!.close();
    this.#background.clear();
  }

  resize(handle: number, sizeHigh: number, sizeLow: number): number {
    let found = false;
    for (const [opened, number] of this.opened) {
      if (number !== handle) continue;
      found = true;
      opened.resized(sizeHigh, sizeLow);
    }
    if (found) return 0;
    this.#host.lied(`resize: there is no handle ${handle}`);
    return Errno.EBADF;
  }

  hasFeature(name: string): boolean {
    return FEATURES.has(name) || isCapability(name) && isGranted(this.#grants, name);
  }

  setMetric(index: number, value: number): boolean {
    return this.metrics.set(index, value);
  }

  #info(call: string, handle: number, child: number): ExportInfo | null {
    const info = this.next.handles.get(handle)?.children[child]?.info;
    if (info === undefined) this.#host.lied(`${call}: there is no child ${child} of ${handle}`);
    return info ?? null;
  }
}
