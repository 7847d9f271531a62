// SPDX-License-Identifier: MIT
// The resources that a component imports, `request` and `context`, made of functions of the core form.
// jco makes objects of them itself for handles that do not exist, so the classes have no private
// members and everything that they need is asked for.

import { Errno, ERRNO_MAX, errnoName } from "../../block/errno.ts";
import { Status } from "../../block/request.ts";
import { defaultInfo, INFO_BYTES, readInfo, writeInfo } from "../info.ts";
import { cutAt, printable, TEXT_BYTES_MAX } from "../text.ts";
import type { Services } from "./services.ts";
import { zoneConditionNumber, type ZoneRecord, zoneTypeNumber } from "./zone_values.ts";
import { lengthOf, plainToken } from "./transfers.ts";
import {
  type CallFlags,
  type Extent,
  extentFlags,
  type Failure,
  FailureError,
  flagsNumber,
  type InfoRecord,
  infoRecord,
  lower,
  type Progress,
  upper,
} from "./values.ts";

/** Where jco looks for the number of an object, so that it need not give it a new one each time. */
const REPRESENTATION = Symbol.for("cabiRep");
/** Away from the numbers that jco gives, which begin at 1. */
const LENT_REPRESENTATION = 0x20000000;

/** `services` of an object, unless jco has made it for a handle that does not exist. */
export function known(services: Services | undefined): Services {
  if (services !== undefined) return services;
  throw new WebAssembly.RuntimeError("it used a handle that it does not have");
}

/** `request`. The one that is lent to calls is the same object each time. */
export class Request {
  /** Number of the request. */
  id = 0;
  /** Whether the call for it leaves it pending. */
  pending = false;
  /** What the call returns: 0, or an errno where it was finished while it ran. */
  status = 0;
  finished = false;
  /** Bytes that it is about. */
  bytes: bigint;
  /** It is an ioctl, whose argument is there; 0: the component has not been given it. */
  isIoctl = false;
  argument = 0;
  readonly services: Services | undefined;

  constructor(services: Services, id = 0, bytes = 0n) {
    this.services = services;
    this.id = id;
    this.bytes = bytes;
  }

  /** The object that is lent to one call after the other. */
  static lent(services: Services): Request {
    const request = new Request(services);
    Object.defineProperty(request, REPRESENTATION, { value: LENT_REPRESENTATION });
    return request;
  }

  length(): bigint {
    known(this.services);
    return this.bytes;
  }

  data(at: bigint, bytes: Uint8Array): void {
    const services = known(this.services);
    if (this.isIoctl) return answerIoctl(services, this, at, bytes);
    const { core, memory } = services;
    const pointer = core.reply_buffer!(this.id, upper(at), lower(at), 0, bytes.length) as number;
    if (pointer !== 0) memory.bytes.set(bytes, pointer);
  }

  zero(at: bigint, length: bigint, hole: boolean): void {
    const { core } = known(this.services);
    const flags = hole ? 1 : 0;
    core.reply_zero!(this.id, upper(at), lower(at), upper(length), lower(length), flags);
  }

  fail(at: bigint, length: bigint, errno: number): void {
    const { core } = known(this.services);
    core.reply_error!(this.id, upper(at), lower(at), upper(length), lower(length), errno | 0);
  }

  extent(length: bigint, hole: boolean, zero: boolean): void {
    const { core } = known(this.services);
    core.extent!(this.id, upper(length), lower(length), extentFlags(hole, zero));
  }

  zone({ start, length, capacity, pointer, type, condition }: ZoneRecord): void {
    const { core } = known(this.services);
    const halves = [start, length, capacity, pointer].flatMap((bytes) => {
      return [upper(bytes), lower(bytes)];
    });
    core.zone!(this.id, ...halves, zoneTypeNumber(type), zoneConditionNumber(condition));
  }

  zoneAppended(offset: bigint): void {
    known(this.services).core.zone_appended!(this.id, upper(offset), lower(offset));
  }

  restart(): void {
    known(this.services).core.reply_restart!(this.id);
  }

  payload(at: bigint, length: bigint): Uint8Array {
    const services = known(this.services);
    const bytes = lengthOf(length);
    return services.lend(bytes, (pointer) => {
      const errno = services.core.payload!(this.id, upper(at), lower(at), 0, pointer, 0, bytes);
      if (errno !== 0) throw failure(services, errno as number);
      return services.memory.bytes.slice(pointer, pointer + bytes);
    });
  }

  later(): Request {
    this.pending = true;
    const request = new Request(known(this.services), this.id, this.bytes);
    request.isIoctl = this.isIoctl;
    request.argument = this.argument;
    return request;
  }

  finish(outcome: { tag: "ok" } | { tag: "err"; val: Failure }): void {
    if (this.finished) return;
    this.finished = true;
    const { core, host, running } = known(this.services);
    const errno = outcome.tag === "ok" ? 0 : errnoOf(outcome.val);
    if (outcome.tag === "err") host.errorText = shown(outcome.val.text);
    if (running === null || running.id !== this.id) core.complete!(this.id, errno);
    else {
      // Before its call has returned, as asynchronous code does that has nothing to wait for.
      running.pending = false;
      running.status = errno;
    }
  }

  forward(
    child: number,
    at: bigint,
    count: bigint,
    offset: bigint,
    flags: CallFlags,
    token: number,
  ): Progress {
    const services = known(this.services);
    const status = services.core.next_forward!(
      this.id,
      child,
      upper(at),
      lower(at),
      upper(count),
      lower(count),
      upper(offset),
      lower(offset),
      flagsNumber(flags),
      plainToken(token),
    ) as number;
    // The host finishes it when what was forwarded has ended.
    if (status === Status.Pending && token === 0) this.pending = true;
    return progressOf(services, status);
  }

  /** A component that lets go of a request that it has taken never finishes it. */
  [Symbol.dispose](): void {
    if (Object.hasOwn(this, REPRESENTATION)) return;
    const text = "the plugin has dropped the request";
    this.finish({ tag: "err", val: { errno: Errno.EIO, text } });
  }
}

/** Puts `bytes` in place of those of the argument of an ioctl that begin at `offset`. */
function answerIoctl(
  services: Services,
  request: Request,
  offset: bigint,
  bytes: Uint8Array,
): void {
  const answer = services.host.find("data", request.id);
  if (answer === null || bytes.length === 0) return;
  // A component that does not keep to the package may have it signed.
  const at = BigInt.asUintN(64, offset);
  const given = request.argument === 0 ? 0n : request.bytes;
  if (at + BigInt(bytes.length) > given) {
    answer.lied(`data: ${bytes.length} bytes at ${at} reach beyond the argument of ${given}`);
    return;
  }
  services.memory.refresh();
  services.memory.bytes.set(bytes, request.argument + Number(at));
}

/** The errno of a failure; 0 would be success. */
export function errnoOf({ errno }: Failure): number {
  return errno >= 1 && errno <= ERRNO_MAX ? errno : Errno.EIO;
}

/** `text` as it is shown: in one line, and not too long. */
export function shown(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return printable(bytes.subarray(0, cutAt(bytes, TEXT_BYTES_MAX)));
}

/** The status of a request to what is below. Throws FailureError. */
export function progressOf(services: Services, status: number): Progress {
  if (status === 0) return "done";
  if (status === Status.Pending) return "pending";
  throw failure(services, status);
}

/** What is thrown for an errno of the host, with its text. */
export function failure({ host }: Services, errno: number): FailureError {
  return new FailureError({ errno, text: host.errorText || errnoName(errno) });
}

/** `context`. */
export class Context {
  /** Handle of the disk that it belongs to; -1 while that is being opened. */
  handle = -1;
  /** Opened by the filter itself. */
  readonly own: boolean;
  readonly services: Services | undefined;

  constructor(services: Services, handle = -1) {
    this.services = services;
    this.handle = handle;
    this.own = handle >= 0;
  }

  peer(): string {
    return known(this.services).host.peer;
  }

  resize(size: bigint): void {
    const services = known(this.services);
    const errno = services.core.resize!(this.handle, upper(size), lower(size)) as number;
    if (errno !== 0) throw failure(services, errno);
  }

  children(): number {
    return known(this.services).core.next_count!() as number;
  }

  childSize(child: number): bigint {
    const services = known(this.services);
    const size = services.core.next_size!(this.handle, child) as unknown as bigint;
    if (size < 0n) throw failure(services, Number(-size));
    return size;
  }

  childInfo(child: number): InfoRecord {
    const services = known(this.services);
    return services.lend(INFO_BYTES, (pointer) => {
      const assumed = defaultInfo(new Set(), 1);
      writeInfo(services.memory.view, pointer, assumed);
      const errno = services.core.next_info!(this.handle, child, 0, pointer) as number;
      if (errno !== 0) throw failure(services, errno);
      return infoRecord(readInfo(services.memory.view, pointer, assumed));
    });
  }

  pread(child: number, count: bigint, offset: bigint, token: number): Uint8Array | undefined {
    const { core, transfers } = known(this.services);
    return transfers.data(lengthOf(count), token, (pointer, held) => {
      return core.next_pread!(
        this.handle,
        child,
        0,
        pointer,
        upper(count),
        lower(count),
        upper(offset),
        lower(offset),
        0,
        held,
      );
    });
  }

  pwrite(
    child: number,
    data: Uint8Array,
    offset: bigint,
    flags: CallFlags,
    token: number,
  ): Progress {
    const { core, transfers } = known(this.services);
    return transfers.sent(data, token, (pointer, held) => {
      return core.next_pwrite!(
        this.handle,
        child,
        0,
        pointer,
        0,
        data.length,
        upper(offset),
        lower(offset),
        flagsNumber(flags),
        held,
      );
    });
  }

  flush(child: number, token: number): Progress {
    const services = known(this.services);
    const { core } = services;
    return progressOf(
      services,
      core.next_flush!(this.handle, child, 0, plainToken(token)) as number,
    );
  }

  trim(child: number, count: bigint, offset: bigint, flags: CallFlags, token: number): Progress {
    return this.range("next_trim", child, count, offset, flags, token);
  }

  zero(child: number, count: bigint, offset: bigint, flags: CallFlags, token: number): Progress {
    return this.range("next_zero", child, count, offset, flags, token);
  }

  cache(child: number, count: bigint, offset: bigint, token: number): Progress {
    return this.range("next_cache", child, count, offset, {}, token);
  }

  extents(
    child: number,
    count: bigint,
    offset: bigint,
    flags: CallFlags,
    most: number,
    token: number,
  ): Extent[] | undefined {
    const bits = flagsNumber(flags);
    const { transfers } = known(this.services);
    return transfers.extents(this.handle, child, count, offset, bits, most, token);
  }

  secureErase(child: number, count: bigint, offset: bigint, token: number): Progress {
    return this.range("next_secure_erase", child, count, offset, {}, token);
  }

  ioctl(
    child: number,
    number: number,
    argument: Uint8Array,
    token: number,
  ): Uint8Array | undefined {
    const { core, transfers } = known(this.services);
    const { length } = argument;
    return transfers.exchanged(argument, token, (pointer, held) => {
      return core.next_ioctl!(this.handle, child, number | 0, 0, pointer, 0, length, held);
    });
  }

  reopen(readOnly: boolean): void {
    const services = known(this.services);
    const { reopenFault } = services;
    if (reopenFault !== "") {
      throw new FailureError({
        errno: Errno.EINVAL,
        text: `it cannot open again: ${reopenFault}`,
      });
    }
    const errno = services.core.next_reopen!(this.handle, readOnly ? 1 : 0) as number;
    if (errno !== 0) throw failure(services, errno);
  }

  [Symbol.dispose](): void {
    if (this.own) this.services!.core.next_close!(this.handle);
  }

  range(
    call: string,
    child: number,
    count: bigint,
    offset: bigint,
    flags: CallFlags,
    token: number,
  ): Progress {
    const services = known(this.services);
    const status = services.core[call]!(
      this.handle,
      child,
      upper(count),
      lower(count),
      upper(offset),
      lower(offset),
      flagsNumber(flags),
      plainToken(token),
    );
    return progressOf(services, status as number);
  }
}
