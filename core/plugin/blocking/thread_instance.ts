// SPDX-License-Identifier: MIT
// An instance on a thread of its own: gets its parameters, opens exports for the first request for them,
// and answers one request after the other by asking the reactor for whatever it needs.

import { BlockError, Errno } from "../../block/errno.ts";
import { copyFrom } from "../../block/memory.ts";
import { memoryRelease } from "../../reactor/memory_release.ts";
import { OpenFlag } from "../abi.ts";
import { Agenda } from "../agenda.ts";
import { allocatorOf, withBytes } from "../allocate.ts";
import type { PluginCalls } from "../calls.ts";
import { deliver } from "../deliver.ts";
import { Host } from "../host.ts";
import { makeImports } from "../imports.ts";
import type { LogLevel } from "../instance.ts";
import { instantiate, makeMemory } from "../instantiate.ts";
import { Listing } from "../listing.ts";
import { PLAIN_NODE } from "../manifest_node.ts";
import { BUFFER_ALIGNMENT_MIN, PluginMemory } from "../memory.ts";
import { plainImports } from "../service_imports.ts";
import { quoted } from "../text.ts";
import type { CallCounter } from "../watch.ts";
import { Asking } from "./asking.ts";
import type { Channel } from "./channel.ts";
import { REQUEST_CALLS } from "./functions.ts";
import type { Order, Report, ThreadStart } from "./messages.ts";

type OpenOrder = Extract<Order, { kind: "open" }>;
type CallReport = Extract<Report, { kind: "call" }>;

/** What is told as the handle of an export that is not open any more. */
const CLOSED = -1;

/** A request as it comes: the export by its number, then what the call gets; an ioctl has its number as offset. */
interface Task {
  call: typeof REQUEST_CALLS[number];
  number: number;
  id: number;
  countHigh: number;
  countLow: number;
  offsetHigh: number;
  offsetLow: number;
  flags: number;
  /** Where the payload of a write, or argument of an ioctl, lies in this process; 0: it is not seen. */
  payload: number;
}

/** See the top of this file. */
export class ThreadInstance {
  /** More about the last call; null where its status is all there is. */
  report: CallReport | null = null;
  readonly #channel: Channel;
  readonly #host: Host;
  readonly #memory: PluginMemory;
  readonly #calls: PluginCalls;
  readonly #asking: Asking;
  readonly #handles = new Map<number, number>();
  /** Memory that answers of the last call lie in. */
  #lent: { pointer: number; length: number }[] = [];
  #failed = false;

  /** Throws BlockError. */
  constructor(
    { prepared, values, grants, watch }: ThreadStart,
    channel: Channel,
    bellFd: number,
    counter: CallCounter,
    log: (level: LogLevel, text: string) => void,
  ) {
    const { name, node = PLAIN_NODE } = prepared.manifest;
    const memories = prepared.memories.map(makeMemory);
    const memory = new PluginMemory(memories[prepared.memory]!, memoryRelease);
    memory.bufferAlignment = Math.max(BUFFER_ALIGNMENT_MIN, node.alignment);
    this.#memory = memory;
    this.#channel = channel;
    this.#asking = new Asking(channel, bellFd, counter, memory);
    const say = (level: LogLevel, text: string) => {
      if (!this.#asking.aborted) log(level, text);
    };
    this.#host = new Host(name, memory, counter, prepared.functions, new Agenda(), say);
    this.#host.logsFreely = grants.logging;
    this.#host.onFailure = () => this.#failed = true;
    this.#asking.begin();
    const core = {
      ...makeImports(this.#host, new Listing()),
      ...plainImports(this.#host, grants),
      ...this.#asking.imports((length) => this.#lend(length)),
    };
    this.#calls = instantiate(prepared, memories, watch.memory, this.#host, core, grants);
    memory.allocator = allocatorOf(this.#host, this.#calls);
    for (const value of values) deliver(this.#host, this.#calls, value);
    const { sb_ready: ready } = this.#calls;
    if (!ready) return;
    this.#asking.begin();
    this.#host.controlStatus("sb_ready", `start plugin "${name}"`, () => ready());
  }

  /** Answers the request of `task`. Returns the status of the call; `report` may say more. */
  answer(task: Task, orders: ReadonlyMap<number, OpenOrder>): number {
    this.#begin();
    try {
      const handle = this.#handles.get(task.number) ?? this.#open(orders.get(task.number)!);
      return this.#call(handle, task);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const isOrdinary = error instanceof BlockError;
      this.report = { kind: "call", failed: this.#failed || !isOrdinary, lie: "", text };
      return isOrdinary ? error.errno : Errno.EIO;
    }
  }

  /** Closes the export `number`, if it is open. */
  close(number: number): void {
    const handle = this.#handles.get(number);
    this.#handles.delete(number);
    const { sb_close: close } = this.#calls;
    if (handle === undefined || !close) return;
    this.#begin();
    this.#host.quietly("sb_close", () => close(handle));
  }

  stop(): void {
    const { sb_stop: stop } = this.#calls;
    this.#begin();
    if (stop) this.#host.quietly("sb_stop", () => stop());
  }

  /** A call begins, so the answer of the last one is where it belongs. */
  #begin(): void {
    for (const { pointer, length } of this.#lent.splice(0)) {
      this.#memory.free(pointer, length, this.#memory.bufferAlignment);
    }
    this.report = null;
    this.#failed = false;
    this.#asking.begin();
  }

  #lend(length: number): number {
    const pointer = this.#memory.allocate(length, this.#memory.bufferAlignment);
    if (pointer !== 0) this.#lent.push({ pointer, length });
    return pointer;
  }

  /** Opens an export. Returns its handle. Throws BlockError. */
  #open({ number, name, readOnly, peer }: OpenOrder): number {
    const host = this.#host;
    const { sb_open: open } = this.#calls;
    const bytes = new TextEncoder().encode(name);
    const flags = readOnly ? OpenFlag.ReadOnly : 0;
    const what = `open the export ${quoted(name)}`;
    host.peer = peer;
    const handle = !open ? number : withBytes(host, bytes, (pointer) => {
      return host.control("sb_open", () => open(pointer, bytes.length, flags));
    });
    host.peer = "";
    if (handle < 0) throw host.failed("sb_open", what, -handle);
    if (this.#asking.opened(number, handle) !== 0) {
      throw host.broken("sb_open", `handle ${handle} is open already`);
    }
    this.#handles.set(number, handle);
    try {
      this.#getSize(handle);
      return handle;
    } catch (error) {
      const failed = this.#failed;
      this.close(number);
      this.#failed ||= failed;
      this.#asking.opened(number, CLOSED);
      throw error;
    }
  }

  /** The size is known, but the plugin may find out here what it needs to know. Throws BlockError. */
  #getSize(handle: number): void {
    const { sb_size: size } = this.#calls;
    if (!size) return;
    this.#asking.begin();
    const bytes = this.#host.control("sb_size", () => size(handle));
    if (bytes >= 0n) return;
    throw this.#host.failed("sb_size", "get the size of an export", Number(-bytes));
  }

  #call(handle: number, task: Task): number {
    const host = this.#host;
    const { call, countLow: length } = task;
    const pointer = task.payload === 0 || length === 0 ? 0 : this.#payload(task.payload, length);
    this.#asking.begin();
    host.enter();
    let status: number;
    try {
      status = this.#run(handle, pointer, task);
    } catch (error) {
      status = host.caught(call, error);
    }
    host.leave();
    this.#asking.showMemory();
    const { lie, errorText: text } = host;
    const isIoctl = call === "sb_ioctl";
    this.#channel.pointer = isIoctl && status === 0 ? pointer : 0;
    // The reactor takes the answer to an ioctl from there.
    if (isIoctl && pointer !== 0) this.#lent.push({ pointer, length });
    else if (pointer !== 0) this.#memory.free(pointer, length, this.#memory.bufferAlignment);
    if (this.#failed || lie !== "" || text !== "") {
      this.report = { kind: "call", failed: this.#failed, lie, text };
    }
    return status;
  }

  #run(handle: number, pointer: number, task: Task): number {
    const { call, id, countHigh, countLow, offsetHigh, offsetLow, flags } = task;
    const calls = this.#calls;
    if (call === "sb_flush") return calls.sb_flush!(handle, id, flags);
    if (call === "sb_ioctl") {
      return calls.sb_ioctl!(handle, id, offsetLow, pointer, countLow);
    }
    if (call !== "sb_pwrite") {
      return calls[call]!(handle, id, countHigh, countLow, offsetHigh, offsetLow, flags);
    }
    const { sb_pwrite: write } = calls;
    return write!(handle, id, pointer, countHigh, countLow, offsetHigh, offsetLow, flags);
  }

  /** Pointer to a copy of the `length` bytes at `address`. Throws BlockError. */
  #payload(address: number, length: number): number {
    const memory = this.#memory;
    const pointer = memory.allocate(length, memory.bufferAlignment);
    if (pointer === 0) {
      throw new BlockError(Errno.ENOMEM, `there is no memory in plugin "${this.#host.name}"`);
    }
    copyFrom(address, memory.bytes.subarray(pointer, pointer + length));
    return pointer;
  }

  /** The request that the channel holds. */
  task(): Task {
    const channel = this.#channel;
    return {
      call: REQUEST_CALLS[channel.value]!,
      number: channel.argument(0),
      id: channel.argument(1),
      countHigh: channel.argument(2),
      countLow: channel.argument(3),
      offsetHigh: channel.argument(4),
      offsetLow: channel.argument(5),
      flags: channel.argument(6),
      payload: channel.pointer,
    };
  }
}
