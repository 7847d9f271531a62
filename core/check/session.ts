// SPDX-License-Identifier: MIT
// One running instance of the plugin under check: makes requests to it as a server does, waits for
// their answers, and listens to what the host has to complain about.

import type { Device, OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { copyFrom } from "../block/memory.ts";
import { Command, Piece, Request, Status } from "../block/request.ts";
import { highOf, lowOf, toBigInt } from "../block/uint64.ts";
import { conditionOfZone, typeOfZone } from "../block/zones.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import type { ModelDevice } from "./model_device.ts";
import type { Operation, Outcome } from "./operation.ts";
import { Lending } from "./lending.ts";

/** Who the exports are opened for. */
const PEER = "unix:pid=1,uid=0,gid=0";
/** The usual patience with requests, and that with an instance that is to end. */
const ANSWER_MS_MAX = 10_000;
/** The longest sleep at a time. */
const SLEEP_MS_MAX = 50;

/** Whether `text` says that a plugin has broken rules, trapped or taken too long. */
export function isComplaint(text: string): boolean {
  return /\b(breaks the ABI in|trapped|ran out of stack|threw an exception|took longer than)\b/
    .test(text);
}

/** What the host says when a plugin breaks the rules, traps or takes too long. */
const COMPLAINT =
  /^plugin ".*?": (breaks the ABI in |(trapped|ran out of stack|threw an exception|took longer)\b.* in _?[a-z_]+( |$)|made the host fail)/;

/** A request that is under way, and what came of it. */
export class Pending {
  readonly request = new Request();
  outcome: Outcome | null = null;
  /** Makes its memory free again; to be called once. */
  release: () => void = () => {};

  constructor(readonly operation: Operation) {}
}

/** See the top of this file. */
export class Session {
  readonly device: Device;
  /** What a filter stands on. */
  readonly below: readonly ModelDevice[];
  /** What the host has complained about, oldest first. */
  readonly complaints: string[] = [];
  /** How long all requests together may take to be answered once nothing else is asked for. */
  patienceMs = ANSWER_MS_MAX;
  readonly #lending: Lending;
  readonly #open = new Set<OpenExport>();
  #outstanding = 0;
  #closed = false;

  constructor(
    make: (log: (text: string) => void) => { device: Device; below: readonly ModelDevice[] },
  ) {
    const { device, below } = this.#make(make);
    this.device = device;
    this.below = below;
    this.#lending = new Lending(device);
  }

  /** Requests that are under way. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Opens an export, which is closed with the session if not before. Throws BlockError. */
  open(readOnly = false, name = this.device.defaultExport() ?? ""): OpenExport {
    const opened = this.device.open(name, { readOnly, peer: PEER });
    this.#open.add(opened);
    return opened;
  }

  /** Closes what `open` has opened. */
  shut(opened: OpenExport): void {
    this.#open.delete(opened);
    opened.close();
  }

  /** Makes a request and waits until it is answered. */
  async perform(to: OpenExport, operation: Operation): Promise<Outcome> {
    const pending = this.begin(to, operation);
    await this.settle();
    pending.release();
    return pending.outcome!;
  }

  /** Makes a request. Its outcome is there when it is answered, and held until `release`. */
  begin(to: OpenExport, operation: Operation): Pending {
    const pending = new Pending(operation);
    const { request } = pending;
    const { command, offset = 0n, bytes, length = bytes?.length ?? 0, flags = 0 } = operation;
    request.command = command;
    request.flags = flags;
    request.offsetHigh = highOf(offset);
    request.offsetLow = lowOf(offset);
    request.lengthHigh = Math.floor(length / 4294967296);
    request.lengthLow = length >>> 0;
    request.space = this.#lending;
    request.sink = { completed: (_, errno) => this.#ended(pending, errno) };
    this.#outstanding++;
    let lent = () => "";
    if (bytes !== undefined) {
      request.ioctl = operation.ioctl ?? 0;
      const payload = this.#lending.payload(bytes, command === Command.Ioctl);
      if (payload === null) {
        this.#ended(pending, Errno.ENOMEM);
        return pending;
      }
      request.payload = payload.address;
      lent = payload.check;
    }
    pending.release = () => {
      const fault = lent();
      if (fault !== "") this.complaints.push(fault);
      this.#lending.giveBack(request);
    };
    const status = to.submit(request);
    if (status !== Status.Pending) this.#ended(pending, status);
    return pending;
  }

  /** Waits until every request is answered. Throws Error where that does not happen. */
  async settle(): Promise<void> {
    if (this.#outstanding > 0) await this.#wait(() => this.#outstanding > 0);
  }

  /** Lets timers run for `milliseconds`. Returns how often there was something to do. */
  async idle(milliseconds: number): Promise<number> {
    const end = performance.now() + milliseconds;
    return await this.#wait(() => performance.now() < end, milliseconds);
  }

  /** Takes the complaints so far away. */
  takeComplaints(): string[] {
    return this.complaints.splice(0);
  }

  /** Ends the instance as a server does. Throws Error where it does not come to an end. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const opened of this.#open) opened.close();
    this.#open.clear();
    const start = performance.now();
    try {
      while (this.device.finish() !== -1) {
        if (performance.now() - start > ANSWER_MS_MAX) {
          throw new Error(
            `it has not finished its work ${ANSWER_MS_MAX} ms after the last client left`,
          );
        }
        await this.idle(1);
      }
    } finally {
      this.device.close();
    }
  }

  async #wait(goesOn: () => boolean, quietMs = 0): Promise<number> {
    const start = performance.now();
    const { device } = this;
    let busy = 0;
    while (goesOn()) {
      device.submitQueued();
      device.reap();
      if (!goesOn()) break;
      const now = performance.now();
      const nextMs = device.nextMs;
      if (nextMs <= now) {
        busy++;
        continue;
      }
      // What the kernel or other threads work on is told by a descriptor.
      const waits = device.completionFds.length > 0;
      const stuck = nextMs === Infinity && quietMs === 0 && !waits &&
        this.below.every((one) => !one.waiting);
      if (stuck || now - start > quietMs + this.patienceMs) {
        throw new NeverAnswered(this.#outstanding, stuck);
      }
      const ms = Math.ceil(Math.min(nextMs - now, SLEEP_MS_MAX, quietMs || SLEEP_MS_MAX));
      if (waits) this.#look(ms);
      else await new Promise((resolve) => setTimeout(resolve, ms));
    }
    return busy;
  }

  /** Waits for what the descriptors of the device tell. */
  #look(ms: number): void {
    const epoll = new Epoll(1);
    try {
      for (const fd of this.device.completionFds) epoll.add(fd, Poll.In);
      epoll.wait(ms);
    } finally {
      epoll.close();
    }
  }

  /** Says in an error what the host has complained about before, which is the reason for it. */
  #make<T>(make: (log: (text: string) => void) => T): T {
    try {
      return make((text) => this.#logged(text));
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      throw new BlockError(error.errno, this.explain(error.message));
    }
  }

  /** `message`, and what the host has complained about, where it does not say that itself. */
  explain(message: string): string {
    const [first] = this.complaints;
    return first === undefined || isComplaint(message) ? message : `${message}: ${first}`;
  }

  #logged(text: string): void {
    if (COMPLAINT.test(text)) this.complaints.push(text.replace(/^plugin ".*?": /, "it "));
  }

  #ended(pending: Pending, errno: number): void {
    if (pending.outcome !== null) {
      this.complaints.push("a request was answered twice");
      return;
    }
    this.#outstanding--;
    pending.outcome = outcomeOf(pending.request, errno);
  }
}

/** A request that nobody is going to answer; or, where it is not `stuck`, perhaps later. */
export class NeverAnswered extends Error {
  constructor(count: number, readonly stuck: boolean) {
    const requests = count === 1 ? "a request is" : `${count} requests are`;
    const fact = stuck
      ? "it waits for nothing that could finish it"
      : "something is still under way, but takes too long";
    super(`${requests} never answered: ${fact}`);
  }
}

function outcomeOf(request: Request, errno: number): Outcome {
  const outcome: Outcome = {
    errno,
    text: request.errorText,
    bytes: new Uint8Array(errno === 0 && request.command === Command.Read ? request.length : 0),
    failed: [],
    data: [],
    extents: [],
    zones: [],
    place: -1,
  };
  if (errno !== 0) return outcome;
  for (let index = 0; index < request.pieceCount; index++) {
    const at = request.pieceAt(index);
    const length = request.pieceLength(index);
    const value = request.pieceValue(index);
    switch (request.pieceKind(index)) {
      case Piece.Data:
      case Piece.StableData:
        outcome.data.push({ at, length, address: value });
        copyFrom(value, outcome.bytes.subarray(at, at + length));
        break;
      case Piece.Error:
        outcome.failed.push({ at, length, errno: value });
        break;
      case Piece.Extent:
        outcome.extents.push({ length: toBigInt(at, length), flags: value });
        break;
      case Piece.Zone: {
        const [type, condition] = [typeOfZone(value), conditionOfZone(value)];
        outcome.zones.push({ capacity: at, written: length, type, condition });
        break;
      }
      case Piece.Place:
        outcome.place = value;
        break;
    }
  }
  return outcome;
}
