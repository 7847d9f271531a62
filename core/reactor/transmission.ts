// SPDX-License-Identifier: MIT
// The transmission phase of one connection: receive in bulk, decode every complete request, submit
// it to the export, and send all answers of a turn at once. This is the hot path.

import type { OpenExport } from "../block/device.ts";
import { Command, type Request, RequestFlag, type RequestSink, Status } from "../block/request.ts";
import { Errno } from "../block/errno.ts";
import { frameReply } from "../nbd/reply.ts";
import {
  decodeRequest,
  PAYLOAD_TOO_LARGE,
  payloadLength,
  requestHeaderLength,
} from "../nbd/request.ts";
import { createSession, type Session } from "../nbd/session.ts";
import { ANSWERED, applyStatusPayload, validateRequest } from "../nbd/validate.ts";
import { type Guard, KILL } from "../policy/guard.ts";
import { lastErrno } from "../../native/errno.ts";
import type { DeviceContext } from "./device_context.ts";
import type { Gather } from "./gather.ts";
import type { InflightRequest } from "./inflight_request.ts";
import { NO_ROOM, ReceiveBuffer } from "./receive_buffer.ts";
import { partUnit, STREAM_BYTES_MIN, WriteStream } from "./write_stream.ts";
import { type PhaseHost, type ServingPhase, Turn } from "./phase.ts";

/** Answers are sent when so many bytes or segments of them have come together within a turn. */
const SEND_BYTES = 1024 * 1024;
const SEND_SEGMENTS = 960;

/** Receives into a device's own memory within one turn. */
const PLACED_RECEIVES_MAX = 8;
const NO_PLACE = -1;

/** When the server stops, so often each client is read from once more. */
const DRAIN_RECEIVES_MAX = 16;

/** See the top of this file. */
export class Transmission implements ServingPhase, RequestSink {
  readonly watchedOnlyAsleep = false;
  /** Requests that the device has not finished. */
  inflight = 0;
  /** Decides which valid requests are carried out; null: all. */
  guard: Guard | null = null;

  #session: Session;
  readonly #context: DeviceContext;
  readonly #host: PhaseHost;
  readonly #inputFd: number;
  readonly #outputFd: number;
  readonly #inflightMax: number;
  readonly #headerLength: number;
  /** Who may say where payloads are to be received; null where parts have to be whole blocks. */
  #writer: OpenExport | null;
  readonly #received: ReceiveBuffer;
  #gather: Gather | null = null;
  /** Bytes of the incomplete request at the front, its header included; 0 when not known. */
  #needed = 0;
  /** A refused request whose payload is being discarded, why, and how much of it is still to come. */
  #refused: InflightRequest | null = null;
  #refusedErrno = 0;
  #discard = 0;
  /** A large write whose payload is arriving. */
  #stream: WriteStream | null = null;
  /** The client said goodbye or has gone: nothing more is received. */
  #ended = false;
  /** How to open the export anew; null unless that is to be done. */
  #open: (() => OpenExport) | null = null;
  #draining = false;
  #broken = false;
  /** The request at the front waits until others give memory back. */
  #starved = false;

  constructor(
    session: Session,
    context: DeviceContext,
    host: PhaseHost,
    descriptors: { inputFd: number; outputFd: number },
    inflightRequestsMax: number,
  ) {
    this.#session = session;
    this.#context = context;
    this.#host = host;
    this.#inputFd = descriptors.inputFd;
    this.#outputFd = descriptors.outputFd;
    this.#inflightMax = inflightRequestsMax;
    this.#headerLength = requestHeaderLength(session.replies);
    this.#received = new ReceiveBuffer(context.pool);
    this.#writer = writerOf(session);
  }

  get exportName(): string {
    return this.#session.exportName;
  }

  /** Whether it makes sense to look for input. */
  get wantsInput(): boolean {
    return !this.#ended && !this.#starved && this.#gather === null && !this.#waitsToReopen &&
      (this.inflight < this.#inflightMax || this.#draining);
  }

  get wantsOutput(): boolean {
    return this.#gather !== null;
  }

  get holdsMemory(): boolean {
    return this.#received.blockBytes > 0 || this.#gather !== null;
  }

  /** Takes what was received behind the handshake. */
  preload(bytes: Uint8Array): boolean {
    return this.#received.preload(bytes);
  }

  turn(): number {
    if (this.#broken) return this.inflight > 0 ? Turn.Idle : Turn.Closed;
    if (this.#gather !== null && !this.flush()) return this.#broken ? Turn.Worked : Turn.Idle;
    if (this.#ended) return this.inflight > 0 ? Turn.Idle : Turn.Closed;
    if (this.#open !== null && this.inflight === 0 && this.#stream === null) this.#reopen();
    if (this.#waitsToReopen) return Turn.Idle;
    // What is there already comes first: it may have waited for room.
    if (this.#received.length >= this.#headerLength && this.#process()) return this.#finishTurn();
    if (this.#starved) return Turn.Starved;
    if (this.inflight >= this.#inflightMax) return Turn.Idle;
    if (this.#stream !== null && this.#writer !== null) {
      const turn = this.#receiveInPlace(this.#writer);
      if (turn !== NO_PLACE) return turn;
    }
    const bytes = this.#received.receive(this.#inputFd, this.#needed, this.#headerLength);
    if (bytes <= 0) return this.#receivedNothing(bytes);
    this.#process();
    return this.#finishTurn();
  }

  /** Receives payloads of large writes where the export keeps them: a Turn, or NO_PLACE. */
  #receiveInPlace(writer: OpenExport): number {
    let turn = NO_PLACE;
    for (let i = 0; i < PLACED_RECEIVES_MAX; i++) {
      const stream = this.#stream;
      if (stream === null || stream.errno !== 0 || this.#received.heldBytes > 0) break;
      const length = stream.wanted;
      const address = writer.place!(length, stream.offsetHigh, stream.offsetLow);
      if (address === 0) break;
      // Behind the payload comes the header of the next request.
      const header = length === stream.left ? this.#headerLength : 0;
      const bytes = this.#received.receiveAt(this.#inputFd, address, length, header);
      if (bytes === NO_ROOM) break;
      if (bytes <= 0 && turn === NO_PLACE) return this.#receivedNothing(bytes);
      // The next turn sees why.
      if (bytes <= 0) break;
      turn = Turn.Worked;
      this.#passOn(stream, address, Math.min(bytes, length), false);
      if (bytes > length) this.#process();
      else if (bytes < length) break;
    }
    return turn === NO_PLACE ? turn : this.#finishTurn();
  }

  reopen(open: () => OpenExport): void {
    this.#open = open;
  }

  /** Sends what is there. False when something is left, or the connection is broken. */
  flush(): boolean {
    const gather = this.#gather;
    if (gather === null) return true;
    while (gather.byteCount > 0) {
      if (gather.send(this.#outputFd) >= 0) continue;
      const errno = lastErrno();
      if (errno === Errno.EINTR) continue;
      if (errno !== Errno.EAGAIN) {
        this.#break();
        return false;
      }
      this.#context.keepUnsent(gather);
      return false;
    }
    this.#gather = null;
    this.#context.giveGather(gather);
    return true;
  }

  completed(request: Request, errno: number): void {
    const inflight = request as InflightRequest;
    this.inflight--;
    this.#context.pending--;
    if (inflight.payloadBlock !== null) this.#received.unpin(inflight.payloadBlock);
    this.#finish(inflight, errno);
    // Others may have their turns before this one, and must be able to settle what it is to send.
    if (this.#gather !== null) this.#context.keepUnsent(this.#gather);
    this.#host.answered(this);
  }

  pause(): void {
    this.#received.shrink(this.#needed);
  }

  drain(): void {
    this.#draining = true;
    this.#process();
    this.flush();
    // What has reached this machine already is refused in words rather than by closing.
    for (let i = 0; i < DRAIN_RECEIVES_MAX && this.wantsInput; i++) {
      if (this.#received.receive(this.#inputFd, this.#needed, this.#headerLength) <= 0) break;
      this.#process();
      this.flush();
    }
    this.#ended = true;
  }

  hangUp(): void {
    this.#break();
  }

  close(): void {
    this.#break();
    this.#session.export.close();
  }

  /** Handles all complete requests that are there. Whether it got anywhere. */
  #process(): boolean {
    const before = this.#received.length;
    this.#starved = false;
    while (this.#received.length > 0 && !this.#ended) {
      if (this.#discard > 0) {
        this.#discardPayload();
        continue;
      }
      if (this.#stream !== null) {
        if (!this.#streamPart(this.#stream)) break;
        continue;
      }
      if (this.inflight >= this.#inflightMax && !this.#draining) break;
      if (!this.#next()) break;
      const gather = this.#gather;
      if (gather === null) continue;
      if (gather.byteCount < SEND_BYTES && gather.segmentCount < SEND_SEGMENTS) continue;
      if (!this.flush()) break;
    }
    return this.#received.length < before;
  }

  /** Handles the request at the front. False when it is incomplete or has to wait. */
  #next(): boolean {
    const received = this.#received;
    const available = received.length;
    const header = this.#headerLength;
    if (available < header) {
      this.#needed = 0;
      return false;
    }
    const request = this.#context.requests.take();
    const pointer = received.pointer;
    const replies = this.#session.replies;
    if (!decodeRequest(this.#context.device.memory.view, pointer, replies, request)) {
      return this.#outOfStep(request, "a request begins with a wrong magic number");
    }
    const payload = payloadLength(request, replies);
    if (payload === PAYLOAD_TOO_LARGE) {
      return this.#outOfStep(request, `a payload of ${request.length} bytes is too large`);
    }
    const total = header + payload;
    let verdict = validateRequest(request, this.#session);
    if (available < total) return this.#incomplete(request, verdict, payload);
    if (verdict === 0 && request.command === Command.Read && !this.#hasRoom(request.length)) {
      this.#starved = true;
      this.#context.requests.give(request);
      return false;
    }
    request.payload = this.#context.device.memory.address + pointer + header;
    if (payload > 0 && verdict === 0 && request.command === Command.BlockStatus) {
      const view = this.#context.device.memory.view;
      verdict = applyStatusPayload(view, pointer + header, payload, request, this.#session);
    }
    this.#needed = 0;
    received.consume(total);
    this.#execute(request, verdict, payload);
    return true;
  }

  /** New requests wait for a new export. A write that is arriving does not: its parts go to the old one. */
  get #waitsToReopen(): boolean {
    return this.#open !== null && this.#stream === null;
  }

  #reopen(): void {
    const open = this.#open!;
    this.#open = null;
    const old = this.#session;
    try {
      this.#session = createSession({
        ...old,
        metaContexts: [...old.metaContexts],
        export: open(),
      });
      this.#writer = writerOf(this.#session);
      old.export.close();
    } catch (error) {
      this.#host.log("error", `${old.exportName}: ${(error as Error).message}`);
    }
  }

  /** Asks the guard, once for each request, about one that is valid so far: `verdict`, an errno or KILL. */
  #decide(request: InflightRequest, verdict: number): number {
    if (this.guard === null || verdict > 0 || request.command === Command.Disconnect) {
      return verdict;
    }
    return this.guard.check(request) || verdict;
  }

  #execute(request: InflightRequest, verdict: number, payload: number): void {
    const command = request.command;
    verdict = this.#decide(request, verdict);
    if (verdict === KILL) return this.#kill(request);
    if (verdict !== 0) return this.#answer(request, verdict === ANSWERED ? 0 : verdict);
    if (command === Command.Disconnect) {
      this.#ended = true;
      this.#context.requests.give(request);
      return;
    }
    if (this.#draining) return this.#answer(request, Errno.ESHUTDOWN);
    const context = this.#context;
    if (command === Command.Trim || command === Command.WriteZeroes) {
      this.#gather?.settle();
      context.settle();
    }
    this.#submit(request, payload);
  }

  #submit(request: InflightRequest, payload: number): void {
    const context = this.#context;
    request.sink = this;
    request.space = context.arena;
    if (payload > 0) {
      request.payloadBlock = this.#received.block;
      request.payloadBlock.references++;
    }
    // Counted before, because a device may finish a request within the call.
    this.inflight++;
    context.pending++;
    const status = this.#session.export.submit(request);
    if (status === Status.Pending) return;
    this.inflight--;
    context.pending--;
    if (payload > 0) this.#received.unpin(request.payloadBlock!);
    this.#finish(request, status);
  }

  #finish(request: InflightRequest, errno: number): void {
    const stream = request.stream;
    if (stream === null) return this.#answer(request, errno);
    const { errorText } = request;
    this.#context.requests.give(request);
    if (stream.finish(errno, errorText)) this.#answer(stream.whole, stream.errno);
  }

  #kill(request: InflightRequest): void {
    this.#context.requests.give(request);
    // What was answered before still goes out.
    this.flush();
    this.#break();
  }

  #answer(request: InflightRequest, errno: number): void {
    if (!this.#broken) {
      const gather = this.#gather ??= this.#context.takeGather();
      if (!frameReply(request, errno, this.#session, gather)) {
        this.#host.log("error", `${this.#session.exportName}: ${request.errorText}`);
      }
      gather.adopt(request);
    } else this.#forget(request);
    this.#context.requests.give(request);
  }

  /** Lets go of an answer that nobody will read. */
  #forget(request: InflightRequest): void {
    for (let i = 0; i < request.answerBlockCount; i++) {
      this.#context.arena.release(request.answerBlocks[i]!);
    }
  }

  /** The payload of a request has not arrived completely: waits for it, or discards it as it comes. */
  #incomplete(request: InflightRequest, verdict: number, payload: number): boolean {
    const streamed = verdict === 0 && this.#isStreamed(request, payload);
    if (streamed) verdict = this.#decide(request, verdict);
    if (verdict === KILL) {
      this.#kill(request);
      return false;
    }
    if (streamed && verdict === 0) {
      this.#received.consume(this.#headerLength);
      // Only when all that has arrived is passed on can the rest be received in its place.
      const { minimum, preferred } = this.#session.export.info.blockSize;
      const unit = this.#writer !== null ? 1 : partUnit(minimum, preferred);
      this.#stream = new WriteStream(request, payload, unit);
      return true;
    }
    if (verdict === 0 || verdict === ANSWERED) {
      this.#needed = this.#headerLength + payload;
      this.#context.requests.give(request);
      return false;
    }
    this.#refuse(request, verdict, payload);
    return true;
  }

  /** FUA is for the whole at once: parts would each have to wait for the disk. */
  #isStreamed(request: InflightRequest, payload: number): boolean {
    return request.command === Command.Write && payload >= STREAM_BYTES_MIN &&
      (request.flags & RequestFlag.Fua) === 0 && !this.#draining &&
      this.#session.export.info.wholeWrites !== true;
  }

  /** Passes on the next part of a large write. False while too little of it is there. */
  #streamPart(stream: WriteStream): boolean {
    const length = stream.partLength(this.#received.length);
    this.#needed = stream.wanted;
    if (length === 0) return false;
    const address = this.#context.device.memory.address + this.#received.pointer;
    this.#received.consume(length);
    this.#passOn(stream, address, length, true);
    return true;
  }

  /** Writes the next `length` bytes of `stream`, which lie at `address`, in the receive block or not. */
  #passOn(stream: WriteStream, address: number, length: number, inBlock: boolean): void {
    const part = this.#context.requests.take();
    stream.takePart(part, address, length);
    this.#needed = stream.wanted;
    if (stream.errno === 0) this.#submit(part, inBlock ? length : 0);
    else this.#finish(part, stream.errno);
    if (stream.left > 0) return;
    this.#stream = null;
    if (stream.finish(0, "")) this.#answer(stream.whole, stream.errno);
  }

  /** The rest of a large write will not come. */
  #abandonStream(): void {
    const stream = this.#stream;
    this.#stream = null;
    if (stream?.abandon()) this.#answer(stream.whole, stream.errno);
  }

  #refuse(request: InflightRequest, errno: number, payload: number): void {
    this.#needed = 0;
    this.#received.consume(this.#headerLength);
    this.#refused = request;
    this.#refusedErrno = errno;
    this.#discard = payload;
  }

  #discardPayload(): void {
    const bytes = Math.min(this.#discard, this.#received.length);
    this.#received.consume(bytes);
    this.#discard -= bytes;
    if (this.#discard > 0) return;
    const request = this.#refused!;
    this.#refused = null;
    this.#answer(request, this.#refusedErrno);
  }

  #finishTurn(): number {
    if (!this.#broken) {
      this.flush();
      this.#received.rest(this.#headerLength);
    }
    return Turn.Worked;
  }

  /** `result`: 0 at the end of the stream, -1 with errno, NO_ROOM. */
  #receivedNothing(result: number): number {
    if (result === NO_ROOM) return this.#receiveWithoutRoom();
    if (result < 0) {
      const errno = lastErrno();
      if (errno === Errno.EAGAIN || errno === Errno.EINTR) {
        this.#received.rest(this.#headerLength);
        return Turn.Idle;
      }
    } else if (this.#received.heldBytes > 0 || this.#stream !== null) {
      this.#host.log("debug", "the client has gone in the middle of a request");
    }
    this.#ended = true;
    this.#abandonStream();
    this.#received.close();
    return this.inflight > 0 || this.#gather !== null ? Turn.Worked : Turn.Closed;
  }

  #receiveWithoutRoom(): number {
    if (this.#othersHoldMemory()) return Turn.Starved;
    if (this.#needed === 0) {
      this.#host.log("error", "closed: the device has no memory to receive a request in");
      this.#break();
      return Turn.Worked;
    }
    const request = this.#context.requests.take();
    const view = this.#context.device.memory.view;
    decodeRequest(view, this.#received.pointer, this.#session.replies, request);
    request.errorText = "the device has no memory for a payload of this size";
    this.#refuse(request, Errno.ENOMEM, this.#needed - this.#headerLength);
    this.#process();
    return this.#finishTurn();
  }

  /** Whether an answer of `length` bytes may be begun. A device may still find no memory for it. */
  #hasRoom(length: number): boolean {
    const pool = this.#context.pool;
    return pool.lentBytes + length <= pool.bytesMax || !this.#othersHoldMemory();
  }

  /** Whether waiting may help: memory is lent to others, who will give it back. */
  #othersHoldMemory(): boolean {
    const own = this.#received.blockBytes + this.#context.arena.idleBytes;
    return this.#context.pool.lentBytes > own;
  }

  #outOfStep(request: InflightRequest, why: string): boolean {
    this.#host.log("error", `closed: ${why}`);
    this.#context.requests.give(request);
    // What is answered already still goes out; the rest of the stream means nothing.
    this.flush();
    this.#break();
    return false;
  }

  #break(): void {
    this.#broken = true;
    this.#ended = true;
    this.#received.close();
    if (this.#refused !== null) this.#context.requests.give(this.#refused);
    this.#refused = null;
    this.#abandonStream();
    if (this.#gather !== null) this.#context.giveGather(this.#gather);
    this.#gather = null;
  }
}

/** Who may say where payloads are to be received; null where parts have to be whole blocks. */
function writerOf(session: Session): OpenExport | null {
  const writer = session.export.route?.(Command.Write) ?? session.export;
  return writer.place !== undefined && session.alignmentMask === 0 ? writer : null;
}
