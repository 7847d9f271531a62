// SPDX-License-Identifier: MIT
// An open export of a plugin whose calls may wait: what it is was found out on the reactor; requests go
// to whichever instance is free.

import type { OpenExport, OpenOptions } from "../../block/device.ts";
import type { ExportInfo } from "../../block/export.ts";
import { Command, type Request } from "../../block/request.ts";
import type { PluginExport } from "../opened.ts";
import type { PoolOpened } from "./pool_instance.ts";

/** What an export needs of its device. */
export interface RequestPool {
  /** As OpenExport.submit, for a request that an instance is to answer. */
  submit(to: PoolOpened, request: Request): number;
  /** The export `number` is closed. */
  forgetExport(number: number): void;
}

/** See the top of this file. */
export class PoolExport implements OpenExport, PoolOpened {
  readonly number: number;
  readonly name: string;
  readonly options: OpenOptions;
  readonly opened: PluginExport;
  readonly #pool: RequestPool;

  constructor(
    pool: RequestPool,
    number: number,
    name: string,
    options: OpenOptions,
    opened: PluginExport,
  ) {
    this.#pool = pool;
    this.number = number;
    this.name = name;
    this.options = options;
    this.opened = opened;
  }

  get info(): ExportInfo {
    return this.opened.info;
  }

  get onResize(): (() => void) | null {
    return this.opened.onResize;
  }

  set onResize(listener: (() => void) | null) {
    this.opened.onResize = listener;
  }

  get children(): readonly OpenExport[] {
    return this.opened.children;
  }

  route(command: number): OpenExport {
    const to = this.opened.route(command);
    return to === this.opened ? this : to;
  }

  submit(request: Request): number {
    const to = this.opened.route(request.command);
    if (to !== this.opened) return to.submit(request);
    const { command } = request;
    const isEmpty = request.lengthHigh + request.lengthLow === 0 && command !== Command.Flush &&
      command !== Command.Ioctl;
    return isEmpty ? 0 : this.#pool.submit(this, request);
  }

  close(): void {
    this.#pool.forgetExport(this.number);
    this.opened.close();
  }
}
