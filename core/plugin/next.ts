// SPDX-License-Identifier: MIT
// The way down from a filter: its requests to the nodes below it, and how their ends come back to it
// (ABI, "What is below"). All that a filter says is checked as a client's request is.

import { Errno } from "../block/errno.ts";
import { Command, type Request, RequestFlag, type RequestSink, Status } from "../block/request.ts";
import { CallFlag } from "./abi.ts";
import { type Answer, State } from "./answer.ts";
import { Expect } from "./answer_pieces.ts";
import type { Host } from "./host.ts";
import { copyPieces, writeExtents } from "./next_results.ts";
import type { NextHandle } from "./next_handle.ts";
import { NextSpace } from "./next_space.ts";
import type { Part } from "./part.ts";
import { absence, refusal } from "./next_check.ts";
import { settleData } from "./settle.ts";
import { NOT_WHOLE, WholeRequests } from "./whole.ts";

/** Requests of its own that one filter may have under way below it. */
const OWN_MAX = 4096;

/** See the top of this file. */
export class Next implements RequestSink {
  /** What is open, by the handles of the filter. */
  readonly handles = new Map<number, NextHandle>();
  /** Requests below that are under way, for the filter itself. */
  own = 0;
  /** How many have ended so far. */
  ownEnded = 0;
  readonly #host: Host;
  readonly #space: NextSpace;
  readonly #whole: WholeRequests;
  readonly #under = new Set<Part>();

  /** `copiesStable`: the filter may make what is below it reuse memory when it likes. */
  constructor(host: Host, public copiesStable: boolean) {
    this.#host = host;
    this.#space = new NextSpace(host.memory);
    this.#whole = new WholeRequests(host);
  }

  /** next_forward: makes a child answer `count` bytes of request `id`, from `at` on. */
  forward(
    id: number,
    child: number,
    at: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ): number {
    const call = "next_forward";
    const answer = this.#host.find(call, id);
    if (answer === null) return Errno.EINVAL;
    const request = answer.request!;
    const handle = answer.handle === null ? null : answer.handle.latest;
    if (handle === null || child < 0 || child >= handle.children.length) {
      answer.lied(`${call}: there is no child ${child}`);
      return Errno.EINVAL;
    }
    if (token === 0 && at === 0 && !this.copiesStable) {
      const status = this.#whole.forward(
        answer,
        handle,
        child,
        countHigh,
        countLow,
        offsetHigh,
        offsetLow,
        flags,
      );
      if (status !== NOT_WHOLE) return status;
    }
    const { command } = answer;
    const { info } = handle.children[child]!;
    const absent = absence(info, command);
    if (absent !== 0) return absent;
    const part = this.#part(command, countHigh, countLow, offsetHigh, offsetLow, flags);
    part.at = at;
    const hasRange = command !== Command.Flush && command !== Command.Ioctl;
    if (command === Command.Ioctl) takeArgument(part, request);
    part.count = part.length;
    const fact = refusal(info, part);
    if (fact !== "") answer.lied(`${call}: ${fact}`);
    if (fact !== "" || (hasRange && !answer.acceptsPart(at, part.count))) {
      this.#host.answers.parts.give(part);
      return answer.failure === 0 ? Errno.EINVAL : answer.failure;
    }
    part.answer = answer;
    part.space = request.space;
    part.root = request.root;
    part.payload = request.payload + part.at;
    part.notice = token;
    part.told = token !== 0;
    part.whole = (flags & CallFlag.Whole) !== 0;
    part.handle = handle;
    handle.outstanding++;
    const status = handle.routes[child]![command]!.submit(part);
    if (status === Status.Pending) {
      this.#under.add(part);
      answer.awaitPart(part);
      if (token === 0) answer.automatic = true;
      return Status.Pending;
    }
    handle.ended();
    let errno = status;
    if (errno === 0) errno = part.wholeErrno() || this.#take(answer, part);
    else if (part.errorText !== "") this.#host.errorText = part.errorText;
    this.#host.answers.parts.give(part);
    return errno;
  }

  /**
   * A request of the filter's own. Returns its status; see `done` for how it ends later. The number of an
   * ioctl is the lower half of the offset.
   */
  request(
    call: string,
    command: number,
    handle: number,
    child: number,
    pointer: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ): number {
    const host = this.#host;
    const open = this.#child(call, handle, child);
    if (open === null) return Errno.EBADF;
    const { info } = open.children[child]!;
    const absent = absence(info, command);
    if (absent !== 0) return absent;
    if (this.own >= OWN_MAX) return Errno.EAGAIN;
    const part = this.#part(command, countHigh, countLow, offsetHigh, offsetLow, flags);
    if (command === Command.Ioctl) {
      part.ioctl = part.offsetLow;
      part.offsetLow = 0;
    }
    part.count = part.length;
    const fact = refusal(info, part) || this.#misplaced(part, pointer);
    if (fact !== "") {
      host.lied(`${call}: ${fact}`);
      host.answers.parts.give(part);
      return Errno.EINVAL;
    }
    part.at = 0;
    part.answer = null;
    part.pointer = pointer;
    part.taken = 0;
    part.payload = host.memory.address + pointer;
    part.space = this.#space;
    part.root = part;
    part.notice = token;
    part.told = true;
    part.handle = open;
    open.outstanding++;
    this.own++;
    const status = open.routes[child]![command]!.submit(part);
    if (status === Status.Pending) {
      this.#under.add(part);
      return Status.Pending;
    }
    const errno = this.#result(part, status);
    if (errno !== 0 && part.errorText !== "") host.errorText = part.errorText;
    this.#release(part);
    return errno;
  }

  /** A request below has ended that was pending. */
  completed(request: Request, errno: number): void {
    const part = request as Part;
    const host = this.#host;
    // From within a call it is too early to call again.
    if (host.depth !== 0) return host.agenda.defer(this, part, errno);
    this.#under.delete(part);
    if (part.answer === null) this.#ownEnded(part, errno);
    else this.#partEnded(part, part.answer, errno);
  }

  /** The instance has failed: what is still under way below is nobody's concern any more. */
  forget(): void {
    for (const part of this.#under) part.told = false;
  }

  #partEnded(part: Part, answer: Answer, errno: number): void {
    const host = this.#host;
    const { notice, told, errorText } = part;
    part.handle!.ended();
    answer.partsPending--;
    let result = errno || part.wholeErrno();
    const awaited = answer.awaits(part);
    if (result === 0 && awaited && this.copiesStable) result = this.#settle(answer, part);
    if (result !== 0) {
      answer.dropPart(part);
      host.answers.parts.give(part);
    } else if (!awaited) host.answers.parts.give(part);
    // A call that waits for it is still under way.
    if (told && answer.state !== State.Settled) {
      host.done(notice, result, errorText);
    } else if (result !== 0 && answer.partErrno === 0) {
      answer.partErrno = result;
      answer.partText = errorText;
    }
    host.partEnded(answer);
  }

  #ownEnded(part: Part, errno: number): void {
    const { notice, told, errorText } = part;
    const result = this.#result(part, errno);
    this.#release(part);
    if (told) this.#host.done(notice, result, errorText);
  }

  #release(part: Part): void {
    this.own--;
    this.ownEnded++;
    part.handle!.ended();
    this.#host.answers.parts.give(part);
  }

  /** Brings the result of a request of the filter's own where it wants it. */
  #result(part: Part, errno: number): number {
    if (errno !== 0) return errno;
    const { memory } = this.#host;
    memory.refresh();
    if (part.command === Command.Read) return copyPieces(part, memory);
    if (part.command === Command.BlockStatus) writeExtents(part, memory);
    return 0;
  }

  /** Adds an answer that came at once. */
  #take(answer: Answer, part: Part): number {
    if (this.copiesStable) {
      const errno = this.#settle(answer, part);
      if (errno !== 0) return errno;
    }
    if (answer.addPart(part)) return 0;
    answer.lied("next_forward: too many pieces");
    return Errno.EIO;
  }

  /** Copies what would change under the answer when the filter changes what is below it. */
  #settle(answer: Answer, part: Part): number {
    if (answer.expect !== Expect.Data) return 0;
    return settleData(part, part) ? 0 : Errno.ENOMEM;
  }

  #child(call: string, handle: number, child: number): NextHandle | null {
    const open = this.handles.get(handle);
    if (open === undefined || open.closed) {
      this.#host.lied(`${call}: there is no handle ${handle}`);
      return null;
    }
    if (child >= 0 && child < open.children.length) return open;
    this.#host.lied(`${call}: there is no child ${child}`);
    return null;
  }

  #part(
    command: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
  ): Part {
    const part = this.#host.answers.parts.take();
    part.command = command;
    part.flags = requestFlags(command, flags);
    part.lengthHigh = countHigh >>> 0;
    part.lengthLow = countLow >>> 0;
    part.offsetHigh = offsetHigh >>> 0;
    part.offsetLow = offsetLow >>> 0;
    part.sink = this;
    return part;
  }

  /** What is wrong with where the data of a request of the filter's own lies; "" if nothing is. */
  #misplaced(part: Part, pointer: number): string {
    const { memory } = this.#host;
    memory.refresh();
    const { command, count } = part;
    if (command === Command.Read || command === Command.Write || command === Command.Ioctl) {
      const inside = memory.contains(pointer, count);
      return inside ? "" : `${count} bytes at ${pointer} are not in its memory`;
    }
    if (command !== Command.BlockStatus) return "";
    const inside = memory.contains(pointer, 8) && pointer % 8 === 0 &&
      memory.contains(pointer, 8 + 16 * memory.view.getUint32(pointer, true));
    return inside ? "" : `the list of extents at ${pointer} is not in its memory`;
  }
}

/** Makes `part` the same ioctl as `request`; neither has a range. */
function takeArgument(part: Part, request: Request): void {
  part.at = 0;
  part.offsetHigh = 0;
  part.offsetLow = 0;
  part.lengthHigh = 0;
  part.lengthLow = request.lengthLow;
  part.ioctl = request.ioctl;
}

/** The flags of a request to a child. */
function requestFlags(command: number, flags: number): number {
  let result = (flags & CallFlag.Fua) === 0 ? 0 : RequestFlag.Fua;
  if ((flags & CallFlag.ReqOne) !== 0) result |= RequestFlag.ReqOne;
  if (command !== Command.WriteZeroes) return result;
  if ((flags & CallFlag.MayTrim) === 0) result |= RequestFlag.NoHole;
  if ((flags & CallFlag.FastZero) !== 0) result |= RequestFlag.FastZero;
  return result;
}
