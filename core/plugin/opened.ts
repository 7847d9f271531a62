// SPDX-License-Identifier: MIT
// An export of a plugin that is open: turns requests into calls (ABI, "Data calls"). What the plugin
// lacks and the host can make up for is in emulate.ts.

import type { OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { Command, type Request, RequestFlag } from "../block/request.ts";
import { CallFlag } from "./abi.ts";
import { Expect } from "./answer.ts";
import type { PluginCalls, RangeCall, WriteCall } from "./calls.ts";
import { type Emulation, readAndForget, writeZeroes } from "./emulate.ts";
import type { Host } from "./host.ts";

/** Stands in for a function that the plugin does not have; nobody calls it. */
const absent = () => Errno.EOPNOTSUPP;

/** See the top of this file. */
export class PluginExport implements OpenExport, Emulation {
  readonly info: ExportInfo;
  readonly host: Host;
  readonly #handle: number;
  readonly #onClose: (handle: number) => void;
  readonly #pread: RangeCall;
  readonly #pwrite: WriteCall;
  readonly #flush: (handle: number, id: number, flags: number) => number;
  readonly #trim: RangeCall;
  readonly #zero: RangeCall;
  readonly #cache: RangeCall;
  readonly #extents: RangeCall;

  constructor(
    host: Host,
    calls: PluginCalls,
    handle: number,
    info: ExportInfo,
    onClose: (handle: number) => void,
  ) {
    this.host = host;
    this.info = info;
    this.#handle = handle;
    this.#onClose = onClose;
    this.#pread = calls.sb_pread;
    this.#pwrite = calls.sb_pwrite ?? absent;
    this.#flush = calls.sb_flush ?? absent;
    this.#trim = calls.sb_trim ?? absent;
    this.#zero = calls.sb_zero ?? absent;
    this.#cache = calls.sb_cache ?? absent;
    this.#extents = calls.sb_extents ?? absent;
  }

  submit(request: Request): number {
    if (this.host.depth !== 0) return refuse(request, Errno.EDEADLK, "a request within a call");
    if (request.command === Command.Flush) return this.#flushAll(request);
    // The protocol says what an empty request means; here there is nothing to do for one.
    if (request.lengthHigh + request.lengthLow === 0) return 0;
    switch (request.command) {
      case Command.Read:
        return this.read(request, Expect.Data);
      case Command.Write:
        return this.#write(request);
      case Command.Trim:
        return this.#trimRange(request);
      case Command.WriteZeroes:
        return this.#zeroRange(request);
      case Command.Cache:
        return this.#cacheRange(request);
      case Command.BlockStatus:
        return this.#status(request);
      default:
        return refuse(request, Errno.EINVAL, `unknown command ${request.command}`);
    }
  }

  close(): void {
    this.#onClose(this.#handle);
  }

  /** Reads what `request` says, or has it read and forgets it. */
  read(request: Request, expect: number): number {
    return this.#range("sb_pread", this.#pread, request, expect, 0);
  }

  /** Writes `request.length` bytes at `pointer`. */
  write(request: Request, pointer: number, flags: number): number {
    const { host } = this;
    host.enter();
    const id = host.answer.begin(request, Expect.Nothing, 0);
    let status: number;
    try {
      status = this.#pwrite(
        this.#handle,
        id,
        pointer,
        request.lengthHigh,
        request.lengthLow,
        request.offsetHigh,
        request.offsetLow,
        flags,
      );
    } catch (error) {
      status = host.caught("sb_pwrite", error);
    }
    host.leave();
    return host.settle("sb_pwrite", request, status);
  }

  #write(request: Request): number {
    if (this.info.can.write === Support.None) {
      return refuse(request, Errno.EPERM, "the export is read-only");
    }
    const status = this.write(
      request,
      request.payload - this.host.memory.address,
      this.#fuaFlag(request),
    );
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #trimRange(request: Request): number {
    if (this.info.can.trim === Support.None) return unsupported(request, "trim");
    const flags = this.#fuaFlag(request);
    const status = this.#range("sb_trim", this.#trim, request, Expect.Nothing, flags);
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #zeroRange(request: Request): number {
    const { zero, fastZero } = this.info.can;
    if (zero === Support.None) return unsupported(request, "zero");
    const fast = (request.flags & RequestFlag.FastZero) !== 0;
    if (fast && fastZero !== Support.Native) {
      return refuse(request, Errno.EOPNOTSUPP, "zeroing would be as slow as writing");
    }
    let status: number = Errno.EOPNOTSUPP;
    if (zero === Support.Native) {
      const hole = (request.flags & RequestFlag.NoHole) === 0 ? CallFlag.MayTrim : 0;
      const flags = this.#fuaFlag(request) | hole | (fast ? CallFlag.FastZero : 0);
      status = this.#range("sb_zero", this.#zero, request, Expect.Nothing, flags);
    }
    // A plugin may leave some ranges to the host, but not when it was to be fast.
    if (status === Errno.EOPNOTSUPP && !fast && this.info.can.write !== Support.None) {
      status = writeZeroes(this, request, this.#fuaFlag(request));
    }
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #cacheRange(request: Request): number {
    if (this.info.can.cache === Support.None) return unsupported(request, "cache");
    if (this.info.can.cache === Support.Emulate) return readAndForget(this, request);
    return this.#range("sb_cache", this.#cache, request, Expect.Nothing, 0);
  }

  #status(request: Request): number {
    if (this.info.can.extents === Support.None) {
      request.extent(request.lengthHigh, request.lengthLow, 0);
      return 0;
    }
    const flags = (request.flags & RequestFlag.ReqOne) !== 0 ? CallFlag.ReqOne : 0;
    return this.#range("sb_extents", this.#extents, request, Expect.Extents, flags);
  }

  #flushAll(request: Request): number {
    if (this.info.can.flush === Support.None) return unsupported(request, "flush");
    return this.#callFlush(request);
  }

  #callFlush(request: Request): number {
    const { host } = this;
    host.enter();
    const id = host.answer.begin(request, Expect.Nothing, 0);
    let status: number;
    try {
      status = this.#flush(this.#handle, id, 0);
    } catch (error) {
      status = host.caught("sb_flush", error);
    }
    host.leave();
    return host.settle("sb_flush", request, status);
  }

  #range(
    name: string,
    call: RangeCall,
    request: Request,
    expect: number,
    flags: number,
  ): number {
    const { host } = this;
    host.enter();
    const id = host.answer.begin(request, expect, request.length);
    let status: number;
    try {
      status = call(
        this.#handle,
        id,
        request.lengthHigh,
        request.lengthLow,
        request.offsetHigh,
        request.offsetLow,
        flags,
      );
    } catch (error) {
      status = host.caught(name, error);
    }
    host.leave();
    return host.settle(name, request, status);
  }

  #fuaFlag(request: Request): number {
    const native = this.info.can.fua === Support.Native;
    return native && (request.flags & RequestFlag.Fua) !== 0 ? CallFlag.Fua : 0;
  }

  #flushIfForced(request: Request): number {
    if ((request.flags & RequestFlag.Fua) === 0) return 0;
    return this.info.can.fua === Support.Emulate ? this.#callFlush(request) : 0;
  }
}

function refuse(request: Request, errno: number, text: string): number {
  request.errorText = text;
  return errno;
}

function unsupported(request: Request, what: string): number {
  return refuse(request, Errno.EINVAL, `the export has no ${what}`);
}
