// SPDX-License-Identifier: MIT
// An export of a plugin that is open: turns requests into calls (ABI, "Data calls"). What the plugin
// lacks and the host can make up for is in emulate.ts.

import type { OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import { type Capabilities, type ExportInfo, Support } from "../block/export.ts";
import { copyFrom } from "../block/memory.ts";
import { Command, COMMANDS_END, type Request, RequestFlag, Status } from "../block/request.ts";
import { CallFlag } from "./abi.ts";
import type { Answer } from "./answer.ts";
import { Expect } from "./answer_pieces.ts";
import type { IoctlCall, PlaceCall, PluginCalls, RangeCall, WriteCall } from "./calls.ts";
import { type Emulation, readAndForget, writeZeroes } from "./emulate.ts";
import type { Host } from "./host.ts";
import { type NextHandle, routesOf } from "./next_handle.ts";
import { ZoneCalls, type ZonedExport } from "./zone_calls.ts";
import { refuseZones } from "./zones.ts";

/** Stands in for a function that the plugin does not have; nobody calls it. */
const absent = () => Errno.EOPNOTSUPP;

/** Arguments of ioctls begin at multiples of this. */
const ARGUMENT_ALIGNMENT = 8;

/** What is left to do for a request when the plugin has finished it, as bits of `request.token`. */
const Rest = { Nothing: 0, Flush: 1, Zeroes: 2 } as const;

/** What an export of a filter has below it. */
export interface Below {
  handle: NextHandle;
  /** Commands that the filter does nothing for go to the first child. */
  passes(command: number): boolean;
  /** The filter passes payloads on and never looks at them. */
  forwardsPayloads: boolean;
  /** The same for arguments of ioctls. */
  forwardsIoctls: boolean;
  /** Stands in for a function that the filter does not have: the first child does it. */
  forward: RangeCall;
}

/** See the top of this file. */
export class PluginExport implements OpenExport, Emulation, ZonedExport {
  readonly info: ExportInfo;
  readonly host: Host;
  onResize: (() => void) | null = null;
  /** Absent where the plugin has no `sb_place`: parts of writes then end where blocks do. */
  readonly place?: (length: number, offsetHigh: number, offsetLow: number) => number;
  readonly #handle: number;
  readonly #onClose: (handle: number) => void;
  readonly #pread: RangeCall;
  readonly #pwrite: WriteCall;
  readonly #flush: (handle: number, id: number, flags: number) => number;
  readonly #trim: RangeCall;
  readonly #zero: RangeCall;
  readonly #cache: RangeCall;
  readonly #extents: RangeCall;
  readonly #secureErase: RangeCall;
  readonly #ioctl: IoctlCall;
  #place: PlaceCall | null;
  readonly #zones: ZoneCalls;
  readonly below: Below | null;
  /** Who answers each command; null where there is nothing below. */
  readonly #routes: OpenExport[] | null;

  constructor(
    host: Host,
    calls: PluginCalls,
    handle: number,
    info: ExportInfo,
    onClose: (handle: number) => void,
    below: Below | null = null,
  ) {
    this.host = host;
    this.info = info;
    this.#handle = handle;
    this.#onClose = onClose;
    const { forward } = below ?? { forward: absent };
    this.#pread = calls.sb_pread ?? forward;
    this.#pwrite = calls.sb_pwrite ??
      ((h, id, _pointer, ch, cl, oh, ol, flags) => forward(h, id, ch, cl, oh, ol, flags));
    this.#flush = calls.sb_flush ?? ((h, id, flags) => forward(h, id, 0, 0, 0, 0, flags));
    this.#trim = calls.sb_trim ?? forward;
    this.#zero = calls.sb_zero ?? forward;
    this.#cache = calls.sb_cache ?? forward;
    this.#extents = calls.sb_extents ?? forward;
    this.#secureErase = calls.sb_secure_erase ?? absent;
    this.#ioctl = calls.sb_ioctl ?? absent;
    this.#place = calls.sb_place ?? null;
    if (this.#place !== null) this.place = (length, high, low) => this.#placeOf(length, high, low);
    this.#zones = new ZoneCalls(this, calls, handle);
    this.below = below;
    this.#routes = below === null ? null : routesBelow(this, below);
  }

  /** It has another size from now on. */
  resized(sizeHigh: number, sizeLow: number): void {
    const { info } = this;
    if (info.sizeHigh === sizeHigh && info.sizeLow === sizeLow) return;
    info.sizeHigh = sizeHigh;
    info.sizeLow = sizeLow;
    this.onResize?.();
  }

  /** What is open below. */
  get children(): readonly OpenExport[] {
    return this.below?.handle.latest.children ?? [];
  }

  /** Whether it passes payloads on and never looks at them. */
  get forwardsPayloads(): boolean {
    return this.below !== null && this.below.forwardsPayloads;
  }

  /** Whether it passes arguments of ioctls on and does not change them. */
  get forwardsIoctls(): boolean {
    return this.below !== null && this.below.forwardsIoctls;
  }

  /** Who answers `command`: this one, or somebody below. */
  route(command: number): OpenExport {
    return this.#routes?.[command] ?? this;
  }

  submit(request: Request): number {
    const routes = this.#routes;
    if (routes !== null) {
      const to = routes[request.command];
      if (to !== undefined && to !== this) return to.submit(request);
    }
    if (this.host.depth !== 0) return refuse(request, Errno.EDEADLK, "a request within a call");
    if (request.command === Command.Flush) return this.#flushAll(request);
    // The protocol says what an empty request means; here there is nothing to do for one.
    if (request.lengthHigh + request.lengthLow === 0 && request.command !== Command.Ioctl) return 0;
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
      case Command.SecureErase:
        return this.#eraseRange(request);
      case Command.Ioctl:
        return this.#control(request);
      default:
        return this.#zoneCommand(request);
    }
  }

  #zoneCommand(request: Request): number {
    const { info, below } = this;
    if (info.zones === undefined) {
      return refuse(request, Errno.EINVAL, `unknown command ${request.command}`);
    }
    const errno = refuseZones(info, info.zones, request);
    if (errno !== 0) return errno;
    if (below !== null) return below.handle.latest.children[0]!.submit(request);
    const rest = this.#flushRest(request);
    request.token = rest;
    const flags = this.#fuaFlag(request);
    const status = this.#zones.submit(request, flags, rest !== Rest.Nothing);
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  close(): void {
    this.#onClose(this.#handle);
  }

  #placeOf(length: number, offsetHigh: number, offsetLow: number): number {
    const { host } = this;
    if (this.#place === null || host.depth !== 0) return 0;
    let pointer = 0;
    host.enter();
    try {
      pointer = this.#place(this.#handle, 0, length, offsetHigh, offsetLow);
    } catch (error) {
      host.caught("sb_place", error);
    }
    host.leave();
    if (pointer === 0) return 0;
    if (host.memory.contains(pointer, length)) return host.memory.address + pointer;
    host.log(
      "lie sb_place",
      "error",
      "breaks the ABI in sb_place: the place is outside its memory",
    );
    this.#place = null;
    return 0;
  }

  /** Goes on with a request that was pending and that the plugin has finished. */
  completed(request: Request, errno: number): void {
    const rest = request.token;
    let status = errno;
    if ((rest & Rest.Zeroes) !== 0 && errno === Errno.EOPNOTSUPP) {
      request.token = rest & Rest.Flush;
      request.errorText = "";
      status = writeZeroes(this, request, this.#fuaFlag(request));
    }
    if (status === 0 && (rest & Rest.Flush) !== 0) status = this.#callFlush(request);
    if (status !== Status.Pending) request.sink.completed(request, status);
  }

  /** Reads what `request` says, or has it read and forgets it. `scratch`: where it then goes. */
  read(request: Request, expect: number, scratch = 0): number {
    return this.#range("sb_pread", this.#pread, request, expect, 0, Rest.Nothing, scratch);
  }

  /** Writes the payload of `request`. */
  write(request: Request, flags: number, rest: number = Rest.Nothing): number {
    const { host } = this;
    const answer = host.answers.take();
    if (answer === null) return tooMany(request);
    host.enter();
    this.#begin(answer, request, Expect.Nothing, rest);
    const pointer = this.payload(answer, request);
    let status: number;
    if (pointer < 0) status = Errno.ENOMEM;
    else {
      try {
        status = this.#pwrite(
          this.#handle,
          answer.id,
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
    }
    host.leave();
    return host.settle("sb_pwrite", answer, status);
  }

  /** Pointer to the payload for the plugin, or -1; it is copied where it lies elsewhere or not as it wants. */
  payload(answer: Answer, request: Request): number {
    const { memory } = this.host;
    const pointer = request.payload - memory.address;
    const length = request.lengthLow;
    const isAligned = (pointer & (memory.payloadAlignment - 1)) === 0;
    if (isAligned && memory.contains(pointer, length)) return pointer;
    if (this.host.fetchesPayloads || this.forwardsPayloads) return 0;
    const copy = answer.roomForPayload(length);
    if (copy === 0) return -1;
    copyFrom(request.payload, memory.bytes.subarray(copy, copy + length));
    return copy;
  }

  #write(request: Request): number {
    if (this.info.can.write === Support.None) {
      return refuse(request, Errno.EPERM, "the export is read-only");
    }
    const status = this.write(request, this.#fuaFlag(request), this.#flushRest(request));
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #trimRange(request: Request): number {
    if (this.info.can.trim === Support.None) return unsupported(request, "trim");
    const flags = this.#fuaFlag(request);
    const rest = this.#flushRest(request);
    this.host.settleStable();
    const status = this.#range("sb_trim", this.#trim, request, Expect.Nothing, flags, rest);
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #zeroRange(request: Request): number {
    const { zero, fastZero } = this.info.can;
    if (zero === Support.None) return unsupported(request, "zero");
    const fast = (request.flags & RequestFlag.FastZero) !== 0;
    if (fast && fastZero !== Support.Native) {
      return refuse(request, Errno.EOPNOTSUPP, "zeroing would be as slow as writing");
    }
    // A plugin may leave some ranges to the host, but not when it was to be fast.
    const emulate = !fast && this.info.can.write !== Support.None;
    const rest = this.#flushRest(request);
    let status: number = Errno.EOPNOTSUPP;
    if (zero === Support.Native) {
      const hole = (request.flags & RequestFlag.NoHole) === 0 ? CallFlag.MayTrim : 0;
      const flags = this.#fuaFlag(request) | hole | (fast ? CallFlag.FastZero : 0);
      const then = emulate ? rest | Rest.Zeroes : rest;
      this.host.settleStable();
      status = this.#range("sb_zero", this.#zero, request, Expect.Nothing, flags, then);
    }
    if (status === Errno.EOPNOTSUPP && emulate) {
      request.token = rest;
      status = writeZeroes(this, request, this.#fuaFlag(request));
    }
    return status === 0 ? this.#flushIfForced(request) : status;
  }

  #cacheRange(request: Request): number {
    if (this.info.can.cache === Support.None) return unsupported(request, "cache");
    if (this.info.can.cache === Support.Emulate) {
      request.token = Rest.Nothing;
      return readAndForget(this, request);
    }
    return this.#range("sb_cache", this.#cache, request, Expect.Nothing, 0, Rest.Nothing);
  }

  #status(request: Request): number {
    if (this.info.can.extents === Support.None) {
      request.extent(request.lengthHigh, request.lengthLow, 0);
      return 0;
    }
    const flags = (request.flags & RequestFlag.ReqOne) !== 0 ? CallFlag.ReqOne : 0;
    const expect = Expect.Extents;
    return this.#range("sb_extents", this.#extents, request, expect, flags, Rest.Nothing);
  }

  #eraseRange(request: Request): number {
    if (this.info.can.secureErase === Support.None) {
      return refuse(request, Errno.EOPNOTSUPP, "the export has no secure erase");
    }
    this.host.settleStable();
    const name = "sb_secure_erase";
    return this.#range(name, this.#secureErase, request, Expect.Nothing, 0, Rest.Nothing);
  }

  #control(request: Request): number {
    if (this.info.can.ioctl === Support.None) {
      return refuse(request, Errno.ENOTTY, "the export has no ioctl");
    }
    const { host } = this;
    host.settleStable();
    const answer = host.answers.take();
    if (answer === null) return tooMany(request);
    host.enter();
    this.#begin(answer, request, Expect.Nothing, Rest.Nothing);
    const pointer = this.#argument(answer, request);
    let status: number;
    if (pointer < 0) status = Errno.ENOMEM;
    else {
      try {
        const number = request.ioctl | 0;
        status = this.#ioctl(this.#handle, answer.id, number, pointer, request.lengthLow);
      } catch (error) {
        status = host.caught("sb_ioctl", error);
      }
    }
    host.leave();
    return host.settle("sb_ioctl", answer, status);
  }

  /** Pointer to the argument of an ioctl, in whose place the plugin puts the answer; -1: no memory. */
  #argument(answer: Answer, request: Request): number {
    const { memory, fetchesPayloads } = this.host;
    const length = request.lengthLow;
    if (length === 0 || fetchesPayloads || this.forwardsIoctls) return 0;
    const pointer = request.payload - memory.address;
    if (pointer % ARGUMENT_ALIGNMENT === 0 && memory.contains(pointer, length)) return pointer;
    const copy = answer.roomForArgument(length, request.payload);
    if (copy === 0) return -1;
    copyFrom(request.payload, memory.bytes.subarray(copy, copy + length));
    return copy;
  }

  #flushAll(request: Request): number {
    if (this.info.can.flush === Support.None) return unsupported(request, "flush");
    return this.#callFlush(request);
  }

  #callFlush(request: Request): number {
    const { host } = this;
    const answer = host.answers.take();
    if (answer === null) return tooMany(request);
    host.enter();
    this.#begin(answer, request, Expect.Nothing, Rest.Nothing);
    // It may follow a write.
    answer.command = Command.Flush;
    let status: number;
    try {
      status = this.#flush(this.#handle, answer.id, 0);
    } catch (error) {
      status = host.caught("sb_flush", error);
    }
    host.leave();
    return host.settle("sb_flush", answer, status);
  }

  #range(
    name: string,
    call: RangeCall,
    request: Request,
    expect: number,
    flags: number,
    rest: number,
    scratch = 0,
  ): number {
    const { host } = this;
    const answer = host.answers.take();
    if (answer === null) return tooMany(request);
    host.enter();
    this.#begin(answer, request, expect, rest);
    if (scratch !== 0) answer.scratch = scratch;
    let status: number;
    try {
      status = call(
        this.#handle,
        answer.id,
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
    return host.settle(name, answer, status);
  }

  #begin(answer: Answer, request: Request, expect: number, rest: number): void {
    answer.begin(request, expect, request.length);
    if (rest !== Rest.Nothing) answer.owner = this;
    if (this.below !== null) answer.handle = this.below.handle.latest;
    if (request.token !== rest) request.token = rest;
  }

  #fuaFlag(request: Request): number {
    const native = this.info.can.fua === Support.Native;
    return native && (request.flags & RequestFlag.Fua) !== 0 ? CallFlag.Fua : 0;
  }

  /** What is left to do after a write that has to be durable, when the plugin has no FUA. */
  #flushRest(request: Request): number {
    const emulate = (request.flags & RequestFlag.Fua) !== 0 &&
      this.info.can.fua === Support.Emulate;
    return emulate ? Rest.Flush : Rest.Nothing;
  }

  #flushIfForced(request: Request): number {
    if ((request.flags & RequestFlag.Fua) === 0) return 0;
    return this.info.can.fua === Support.Emulate ? this.#callFlush(request) : 0;
  }
}

/** Who answers each command to `opened`: it, or whoever answers it below. */
function routesBelow(opened: OpenExport, { handle, passes }: Below): OpenExport[] {
  const [first] = handle.children;
  const below = first === undefined ? [] : routesOf(first);
  return Array.from({ length: COMMANDS_END }, (_, command) => {
    const straight = passes(command) && sameSupport(command, opened.info.can, first!.info.can);
    return straight ? below[command]! : opened;
  });
}

/** Whether what a filter says that it can do about a command is what the child can do, no less. */
function sameSupport(command: number, can: Capabilities, child: Capabilities): boolean {
  // A client that may not ask for FUA does not.
  const fua = can.fua === Support.None || can.fua === child.fua;
  switch (command) {
    case Command.Write:
      return fua;
    case Command.Trim:
      return fua && can.trim === child.trim;
    case Command.WriteZeroes:
      return fua && can.zero === child.zero && can.fastZero === child.fastZero;
    case Command.Cache:
      return can.cache === child.cache;
    case Command.BlockStatus:
      return can.extents === child.extents;
    case Command.SecureErase:
      return can.secureErase === child.secureErase;
    case Command.Ioctl:
      return can.ioctl === child.ioctl;
    default:
      return true;
  }
}

function tooMany(request: Request): number {
  return refuse(request, Errno.ENOMEM, "too many requests are under way");
}

function refuse(request: Request, errno: number, text: string): number {
  request.errorText = text;
  return errno;
}

function unsupported(request: Request, what: string): number {
  return refuse(request, Errno.EINVAL, `the export has no ${what}`);
}
