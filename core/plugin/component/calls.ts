// SPDX-License-Identifier: MIT
// The functions of a core plugin (../calls.ts) made of those of a component's interface `device`.
// A handle is a place in the table of the disks that are open.

import { errnoName } from "../../block/errno.ts";
import { Status } from "../../block/request.ts";
import { OpenFlag } from "../abi.ts";
import type { IoctlCall, PluginCalls, RangeCall, WriteCall } from "../calls.ts";
import { defaultInfo, readInfo, writeInfo } from "../info.ts";
import { writeZones } from "../zones.ts";
import type { Calls, Device, Disk } from "./device.ts";
import { Context, errnoOf, Request, shown } from "./resources.ts";
import type { Services } from "./services.ts";
import {
  type CallFlags,
  callFlags,
  type Failure,
  infoRecord,
  infoStruct,
  type Parameter,
  whole,
} from "./values.ts";

const decoder = new TextDecoder();

/** Functions of a disk that answer a request for a range with flags. */
const RANGES = ["trim", "zero", "extents"] as const;

/** Those without flags, and what the core form calls them. */
const PLAIN_RANGES = {
  cache: "sb_cache",
  secureErase: "sb_secure_erase",
  zoneReport: "sb_zone_report",
  zoneOpen: "sb_zone_open",
  zoneClose: "sb_zone_close",
  zoneFinish: "sb_zone_finish",
  zoneReset: "sb_zone_reset",
} as const;

/** Those that get data. */
const WRITES = { pwrite: "sb_pwrite", zoneAppend: "sb_zone_append" } as const;

/** The functions of `device` that are called for a component, and which of them it says to implement. */
export function componentCalls(
  services: Services,
  device: Device,
): { calls: PluginCalls; implemented: Calls } {
  const adapter = new Adapter(services, device);
  const implemented = adapter.run(() => device.implemented());
  const { sb_alloc, sb_free, ...calls } = adapter.always();
  const data = { ...adapter.requests(implemented) };
  if (implemented.size) data.sb_size = (handle) => adapter.size(handle);
  if (implemented.description) data.sb_describe = (handle) => adapter.describe(handle);
  if (implemented.zones) data.sb_zones = (handle, out) => adapter.zones(handle, out);
  if (implemented.info) data.sb_info = (handle, out) => adapter.info(handle, out);
  if (implemented.exports) data.sb_list = () => adapter.list();
  if (implemented.defaultExport) data.sb_default = () => adapter.defaultExport();
  if (implemented.finish) data.sb_finish = () => adapter.run(() => device.finish());
  if (implemented.connect) {
    data.sb_connect = (pointer, length) => {
      return adapter.status(() => device.connect(adapter.text(pointer, length)));
    };
  }
  return { implemented, calls: { sb_alloc: sb_alloc!, sb_free: sb_free!, ...calls, ...data } };
}

function keysOf<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}

class Adapter {
  readonly #services: Services;
  readonly #device: Device;
  readonly #disks: ({ disk: Disk; context: Context } | null)[] = [];
  readonly #parameters: Parameter[] = [];
  readonly #lent: Request;

  constructor(services: Services, device: Device) {
    this.#services = services;
    this.#device = device;
    this.#lent = Request.lent(services);
  }

  /** What every component has. */
  always(): PluginCalls {
    const { exchange } = this.#services;
    return {
      sb_alloc: (size, alignment) => exchange.allocate(size, alignment),
      sb_free: (pointer, size) => exchange.free(pointer, size),
      sb_param_int: (index, val) => {
        this.#parameters.push({ index, value: { tag: "number", val } });
      },
      sb_param_bytes: (index, pointer, length) => {
        const val = this.#services.memory.bytes.slice(pointer, pointer + length);
        this.#parameters.push({ index, value: { tag: "bytes", val } });
      },
      sb_ready: () => this.status(() => this.#device.start(this.#parameters.splice(0))),
      sb_open: (pointer, length, flags) => this.#open(this.text(pointer, length), flags),
      sb_close: (handle) => this.#close(handle),
      sb_stop: () => this.run(() => this.#device.stop()),
      sb_done: (token, result) => this.#done(token, result),
    };
  }

  /** Calls the component. What jco complains about is the component's fault, so it is a trap. */
  run<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw trapOf(error);
    }
  }

  /** Calls the component. Returns 0, or the errno of the failure that it returned. */
  status(call: () => void): number {
    try {
      call();
      return 0;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** What answers requests for a disk. */
  requests(implemented: Calls): PluginCalls {
    const calls: PluginCalls = {};
    for (const name of RANGES) if (implemented[name]) calls[`sb_${name}`] = this.#range(name);
    for (const name of keysOf(PLAIN_RANGES)) {
      if (implemented[name]) calls[PLAIN_RANGES[name]] = this.#plainRange(name);
    }
    for (const name of keysOf(WRITES)) {
      if (implemented[name]) calls[WRITES[name]] = this.#write(name);
    }
    if (implemented.pread) calls.sb_pread = this.#pread;
    if (implemented.flush) calls.sb_flush = this.#flush;
    if (implemented.ioctl) calls.sb_ioctl = this.#ioctl;
    return calls;
  }

  #pread: RangeCall = (handle, id, countHigh, countLow, offsetHigh, offsetLow) => {
    const count = whole(countHigh, countLow);
    const request = this.#begin(id, count);
    try {
      this.#disk(handle).pread(count, whole(offsetHigh, offsetLow), request);
    } catch (error) {
      return this.#failedRequest(error);
    }
    return this.#end(request);
  };

  #write(name: keyof typeof WRITES): WriteCall {
    return (handle, id, pointer, countHigh, countLow, offsetHigh, offsetLow, flags) => {
      const request = this.#begin(id, whole(countHigh, countLow));
      const data = this.#given(pointer, countLow >>> 0);
      try {
        this.#disk(handle)[name](data, whole(offsetHigh, offsetLow), callFlags(flags), request);
      } catch (error) {
        return this.#failedRequest(error);
      }
      return this.#end(request);
    };
  }

  #flush = (handle: number, id: number): number => {
    return this.#request(id, 0n, (request) => this.#disk(handle).flush(request));
  };

  #ioctl: IoctlCall = (handle, id, number, pointer, length) => {
    return this.#request(id, BigInt(length), (request) => {
      request.isIoctl = true;
      request.argument = pointer;
      this.#disk(handle).ioctl(number, this.#given(pointer, length), request);
    });
  };

  #plainRange(name: keyof typeof PLAIN_RANGES): RangeCall {
    return (handle, id, countHigh, countLow, offsetHigh, offsetLow) => {
      const count = whole(countHigh, countLow);
      return this.#request(id, count, (request) => {
        this.#disk(handle)[name](count, whole(offsetHigh, offsetLow), request);
      });
    };
  }

  #range(name: typeof RANGES[number]): RangeCall {
    return (handle, id, countHigh, countLow, offsetHigh, offsetLow, flags) => {
      const count = whole(countHigh, countLow);
      return this.#request(id, count, (request) => {
        const bits: CallFlags = callFlags(flags);
        this.#disk(handle)[name](count, whole(offsetHigh, offsetLow), bits, request);
      });
    };
  }

  size(handle: number): bigint {
    let size = 0n;
    const errno = this.status(() => {
      size = BigInt.asIntN(64, this.#disk(handle).size());
    });
    return errno === 0 ? size : -BigInt(errno);
  }

  list(): number {
    return this.status(() => {
      for (const { name, description } of this.#device.listExports()) {
        this.#addExport(name, description);
      }
    });
  }

  defaultExport(): number {
    return this.status(() => {
      const name = this.#device.defaultExport();
      if (name === undefined) return;
      this.#services.text(name, (pointer, length) => this.#core("export_default", pointer, length));
    });
  }

  describe(handle: number): number {
    return this.status(() => {
      this.#addExport("", this.#disk(handle).description());
    });
  }

  info(handle: number, out: number): number {
    const { memory } = this.#services;
    return this.status(() => {
      const bytes = memory.view.getUint32(out, true);
      const assumed = readInfo(memory.view, out, defaultInfo(new Set(), 1), bytes);
      const info = infoStruct(this.#disk(handle).info(infoRecord(assumed)), assumed);
      memory.refresh();
      writeInfo(memory.view, out, info, bytes);
    });
  }

  zones(handle: number, out: number): number {
    return this.status(() => {
      const zones = this.#disk(handle).zones();
      const { memory } = this.#services;
      memory.refresh();
      if (zones !== undefined) writeZones(memory.view, out, zones);
    });
  }

  text(pointer: number, length: number): string {
    return decoder.decode(this.#services.memory.bytes.subarray(pointer, pointer + length));
  }

  /** What the host has for a call at `pointer`: nothing where a filter only passes it on. */
  #given(pointer: number, length: number): Uint8Array {
    return this.#services.memory.bytes.subarray(pointer, pointer === 0 ? 0 : pointer + length);
  }

  #begin(id: number, bytes: bigint): Request {
    const request = this.#lent;
    request.id = id;
    request.bytes = bytes;
    request.isIoctl = false;
    request.pending = false;
    request.status = 0;
    this.#services.running = request;
    return request;
  }

  /** The call for `request` has returned: what becomes of it. */
  #end(request: Request): number {
    this.#services.running = null;
    return request.pending ? Status.Pending : request.status;
  }

  #failedRequest(error: unknown): number {
    this.#services.running = null;
    return this.#failed(error);
  }

  #request(id: number, bytes: bigint, call: (request: Request) => void): number {
    const request = this.#begin(id, bytes);
    try {
      call(request);
    } catch (error) {
      return this.#failedRequest(error);
    }
    return this.#end(request);
  }

  #disk(handle: number): Disk {
    return this.#disks[handle]!.disk;
  }

  #open(name: string, flags: number): number {
    const context = new Context(this.#services);
    const free = this.#disks.indexOf(null);
    const handle = free < 0 ? this.#disks.length : free;
    // Known while it is being opened, so that a filter can look at what is below it.
    context.handle = handle;
    const errno = this.status(() => {
      const readOnly = (flags & OpenFlag.ReadOnly) !== 0;
      const disk = this.#device.open(name, readOnly, context);
      this.#disks[handle] = { disk, context };
    });
    return errno === 0 ? handle : -errno;
  }

  #close(handle: number): void {
    const open = this.#disks[handle];
    if (!open) return;
    this.#disks[handle] = null;
    this.run(() => open.disk[Symbol.dispose]());
  }

  #done(token: number, result: number): void {
    const { host, transfers } = this.#services;
    const text = host.errorText || (result > 0 ? errnoName(result) : "");
    const ended = transfers.ended(token, result, text);
    this.run(() => this.#device.done(ended.token, ended.outcome));
  }

  #addExport(name: string, description: string): void {
    const services = this.#services;
    services.text(name, (namePointer, nameLength) => {
      services.text(description, (pointer, length) => {
        this.#core("export_add", namePointer, nameLength, pointer, length);
      });
    });
  }

  #core(name: string, ...values: number[]): void {
    this.#services.core[name]!(...values.flatMap((value) => [0, value]));
  }

  /** The errno of a failure that the component returned. Throws what else there is. */
  #failed(error: unknown): number {
    const failure = (error as { payload?: Failure } | null)?.payload;
    if (typeof failure !== "object" || typeof failure.errno !== "number") throw trapOf(error);
    if (failure.text !== "") this.#services.host.errorText = shown(failure.text);
    return errnoOf(failure);
  }
}

/** What jco's code throws about values that a component has given wrongly. */
function trapOf(error: unknown): unknown {
  const fault = error instanceof TypeError || (error instanceof RangeError &&
    !/call stack/.test(error.message));
  if (!fault) return error;
  const trap = new WebAssembly.RuntimeError(`bad values in a call (${error.message})`);
  if (error.stack !== undefined) trap.stack = error.stack;
  return trap;
}
