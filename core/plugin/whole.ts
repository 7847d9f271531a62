// SPDX-License-Identifier: MIT
// The short way down, for what filters do most: a read or write that is passed on as a whole, and finished
// by that. The child gets the very request, with another offset for as long as it has it, so that nothing
// of the answer has to be moved.

import { Errno } from "../block/errno.ts";
import { Command, type Request, RequestFlag, type RequestSink, Status } from "../block/request.ts";
import { CallFlag } from "./abi.ts";
import { type Answer, State } from "./answer.ts";
import { Expect } from "./answer_pieces.ts";
import type { Host } from "./host.ts";
import { refusal } from "./next_check.ts";
import type { NextHandle } from "./next_handle.ts";

/** What `forwardWhole` returns for requests that have to go the long way. */
export const NOT_WHOLE = -2;

/** A request while the child has it; stands between the child and whoever waits for the request. */
class Passage implements RequestSink {
  answer!: Answer;
  handle!: NextHandle;
  sink!: RequestSink;
  offsetHigh = 0;
  offsetLow = 0;

  constructor(private readonly host: Host, private readonly idle: Passage[]) {}

  /** The child has finished the request, which was pending. */
  completed(request: Request, errno: number): void {
    const { host, answer } = this;
    // From within a call it is too early to call again.
    if (host.depth !== 0) return host.agenda.defer(this, request, errno);
    this.end(request);
    answer.partsPending--;
    if (answer.state === State.Settled) request.pieceCount = 0;
    else if (errno !== 0) {
      answer.partErrno = errno;
      answer.partText = request.errorText;
    }
    host.partEnded(answer);
  }

  /** Makes the request what it was. */
  end(request: Request): void {
    request.sink = this.sink;
    request.offsetHigh = this.offsetHigh;
    request.offsetLow = this.offsetLow;
    this.handle.ended();
    this.idle.push(this);
  }
}

/** The short way down from one filter. */
export class WholeRequests {
  readonly #idle: Passage[] = [];

  constructor(private readonly host: Host) {}

  /**
   * Has the child with `info`'s export answer all of the request of `answer` from another offset. Returns
   * what next_forward does, or NOT_WHOLE, with nothing done.
   */
  forward(
    answer: Answer,
    handle: NextHandle,
    child: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
  ): number {
    const request = answer.request!;
    const { command } = request;
    if (command !== Command.Read && command !== Command.Write) return NOT_WHOLE;
    if (
      answer.command !== command || !answer.isUntouched || answer.owner !== null ||
      answer.expect === Expect.DiscardedData || (flags & CallFlag.Whole) !== 0 ||
      countLow >>> 0 !== request.lengthLow || countHigh >>> 0 !== request.lengthHigh ||
      ((flags & CallFlag.Fua) !== 0) !== ((request.flags & RequestFlag.Fua) !== 0)
    ) return NOT_WHOLE;
    const passage = this.#idle.pop() ?? new Passage(this.host, this.#idle);
    passage.answer = answer;
    passage.handle = handle;
    passage.sink = request.sink;
    passage.offsetHigh = request.offsetHigh;
    passage.offsetLow = request.offsetLow;
    request.sink = passage;
    request.offsetHigh = offsetHigh >>> 0;
    request.offsetLow = offsetLow >>> 0;
    handle.outstanding++;
    const fact = refusal(handle.children[child]!.info, request);
    if (fact !== "") {
      passage.end(request);
      answer.lied(`next_forward: ${fact}`);
      return Errno.EINVAL;
    }
    const status = handle.routes[child]![command]!.submit(request);
    if (status === 0) {
      passage.end(request);
      answer.passOver();
    } else if (status === Status.Pending) answer.awaitWhole();
    else {
      passage.end(request);
      // What has failed leaves no trace.
      request.pieceCount = 0;
      if (request.errorText !== "") this.host.errorText = request.errorText;
      request.errorText = "";
    }
    return status;
  }
}
