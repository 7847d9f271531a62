// SPDX-License-Identifier: MIT
// An export of a plugin that may get a new instance: what is open stays open, and is opened again in the
// new instance by the next request.

import type { OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import type { Request } from "../block/request.ts";
import type { PluginDevice } from "./instance.ts";
import type { RestartingDevice } from "./restart.ts";

/** See the top of this file. */
export class RestartedExport implements OpenExport {
  readonly #device: RestartingDevice;
  readonly #name: string;
  readonly #options: OpenOptions;
  #instance: PluginDevice;
  #opened: OpenExport | null;
  #info: ExportInfo;
  #onResize: (() => void) | null = null;

  /** Throws BlockError. */
  constructor(device: RestartingDevice, name: string, options: OpenOptions) {
    this.#device = device;
    this.#name = name;
    // Once it is open, requests wait for it to be opened again.
    this.#options = { ...options, mayDefer: false };
    this.#instance = device.instance;
    this.#opened = this.#instance.open(name, options);
    this.#info = this.#opened.info;
  }

  get info(): ExportInfo {
    return this.#info;
  }

  get onResize(): (() => void) | null {
    return this.#onResize;
  }

  set onResize(listener: (() => void) | null) {
    this.#onResize = listener;
    if (this.#opened !== null) this.#opened.onResize = listener;
  }

  get children(): readonly OpenExport[] {
    return this.#opened?.children ?? [];
  }

  submit(request: Request): number {
    const device = this.#device;
    if (!device.works()) return refuse(request, device.refusal());
    if (this.#instance !== device.instance || this.#opened === null) {
      const text = this.#reopen();
      if (text !== "") return refuse(request, text);
    }
    return this.#opened!.submit(request);
  }

  close(): void {
    this.#opened?.close();
    this.#opened = null;
  }

  /** Opens it in the instance of now. Returns why that cannot be, or "". */
  #reopen(): string {
    this.close();
    this.#instance = this.#device.instance;
    try {
      const opened = this.#instance.open(this.#name, this.#options);
      const fact = difference(this.#info, opened.info);
      if (fact !== "") {
        opened.close();
        return `the export has another ${fact} since its plugin was started again; connect again`;
      }
      // It may be known to clients by another name.
      opened.info.name = this.#info.name;
      opened.onResize = this.#onResize;
      this.#opened = opened;
      this.#info = opened.info;
      return "";
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return error.message;
    }
  }
}

/** What a client would have to be told that it has been told otherwise; "" if nothing is. */
function difference(before: ExportInfo, after: ExportInfo): string {
  if (before.sizeHigh !== after.sizeHigh || before.sizeLow !== after.sizeLow) return "size";
  if (before.zones?.size !== after.zones?.size) return "size of its zones";
  const { minimum, maximum } = before.blockSize;
  if (minimum !== after.blockSize.minimum || maximum !== after.blockSize.maximum) {
    return "block size";
  }
  const names = Object.keys(before.can) as (keyof ExportInfo["can"])[];
  const lost = names.find((name) => before.can[name] !== after.can[name]);
  return lost === undefined ? "" : `answer to whether it can do "${lost}"`;
}

function refuse(request: Request, text: string): number {
  request.errorText = text;
  return Errno.EIO;
}
