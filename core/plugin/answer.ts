// SPDX-License-Identifier: MIT
// One request that a plugin has to answer: which call it is for, what has become of that, and what of
// the answer is still to come from below.

import { Errno } from "../block/errno.ts";
import type { Request, RequestSink } from "../block/request.ts";
import { AnswerPieces, Expect } from "./answer_pieces.ts";
import type { NextHandle } from "./next_handle.ts";
import type { Part } from "./part.ts";
import { settleData } from "./settle.ts";

/** What has become of the call for a request. */
export const State = {
  /** The call is under way. */
  Called: 0,
  /** It has returned; the request is finished later. */
  Pending: 1,
  /** Its result is known, but parts of it are still under way below. */
  Settled: 2,
} as const;

/** Parts of one request that may be forwarded. */
export const PARTS_MAX = 4096;

/** See the top of this file. Reused for one request after the other. */
export class Answer extends AnswerPieces {
  /** Number of the request for the plugin. */
  id = 0;
  state: number = State.Called;
  /** The function that was called for it. */
  call = "";
  /** What is asked of the plugin: the request's command, or a flush on behalf of it. */
  command = 0;
  /** Who goes on with the request when it was pending; null: its own sink. */
  owner: RequestSink | null = null;
  /** What is open below; null for a plugin that has nothing below it. */
  handle: NextHandle | null = null;
  /** Parts that are under way below, and the first errno of one of them. */
  partsPending = 0;
  partErrno = 0;
  partText = "";
  /** The request is finished by the host when no part is under way any more. */
  automatic = false;
  /** With State.Settled: the errno of the request. */
  errno = 0;

  #partCount = 0;

  /** A call for `request` begins, `length` bytes of which the plugin is to answer. */
  begin(request: Request, expect: number, length: number): void {
    this.request = request;
    this.command = request.command;
    this.parts.begin(request);
    this.expect = expect;
    this.nextAt = 0;
    this.end = length;
    this.failure = 0;
    this.lie = "";
    this.state = State.Called;
    this.owner = null;
    this.handle = null;
    if (this.simple) return;
    this.simple = true;
    this.partErrno = 0;
    this.partText = "";
    this.automatic = false;
    this.#partCount = 0;
  }

  /** Whether everything is answered, after a call with the status 0. Otherwise a lie is set. */
  complete(): void {
    if (this.expect === Expect.Extents) {
      if (this.nextAt === 0) this.lied("it reported no extent");
    } else if (this.nextAt !== this.end && this.expect !== Expect.Nothing) {
      this.#incomplete();
    }
  }

  #incomplete(): void {
    if (this.expect === Expect.Zones) {
      // They may stop short of the end, but not before there is one.
      if (this.nextAt === 0) this.lied("it reported no zone");
    } else if (this.expect === Expect.Place) this.lied("it did not say where it appended");
    else this.lied(`it answered ${this.nextAt} of ${this.end} bytes`);
  }

  /** Puts the answer together that came in parts, and gives back what it lay in. */
  assemble(succeeded: boolean): void {
    const request = this.request!;
    if (this.parts.any) {
      if (succeeded) this.lied(this.parts.merge(request, this.expect === Expect.Extents));
      this.parts.clear();
    }
    if (this.loans.any) this.loans.giveBack(succeeded ? request.space.memory : null);
  }

  /** Forgets what the request was answered with so far; nothing of it may be under way. */
  restart(): void {
    if (this.partsPending > 0) {
      this.lied("reply_restart: what was forwarded is still under way");
    } else if (this.expect === Expect.Nothing) {
      this.lied("reply_restart: it is not answered with data or extents");
    } else {
      const request = this.request!;
      this.parts.clear();
      this.parts.begin(request);
      this.loans.giveBack(null);
      request.pieceCount = 0;
      this.nextAt = 0;
    }
  }

  /** Pointer to room for a copy of the payload in the plugin's memory; 0 where there is none. */
  roomForPayload(length: number): number {
    this.simple = false;
    const pointer = this.loans.lend(length, 0);
    if (pointer === 0) this.failure = Errno.ENOMEM;
    return pointer;
  }

  /** The same for the argument of an ioctl, whose answer goes to `address` when it has succeeded. */
  roomForArgument(length: number, address: number): number {
    this.simple = false;
    const pointer = this.loans.lend(length, address);
    if (pointer === 0) this.failure = Errno.ENOMEM;
    return pointer;
  }

  /** Copies the stable data of the answer so far, before what it lies in may become something else. */
  settle(): void {
    const request = this.request!;
    if (this.expect !== Expect.Data) return;
    if (!settleData(request, request) || !this.parts.settle(request)) this.failure = Errno.ENOMEM;
  }

  /** Forgets the request. */
  forget(): void {
    this.request = null;
  }

  /** Whether the answer may be added to by forwarding `count` bytes at `at`; else a lie is set. */
  acceptsPart(at: number, count: number): boolean {
    const call = "next_forward";
    if (this.expect === Expect.Data || this.expect === Expect.DiscardedData) {
      if (!this.accepts(call, at, count)) return false;
    } else {
      if (this.lie !== "" || this.failure !== 0) return false;
      if (at > this.end || count > this.end - at) {
        this.lied(`${call}: ${count} bytes at ${at} reach beyond the ${this.end} requested`);
        return false;
      }
    }
    this.simple = false;
    if (this.#partCount++ < PARTS_MAX) return true;
    this.lied(`${call}: more than ${PARTS_MAX} parts`);
    return false;
  }

  /** Adds what a part was answered with at once. False when there is no more room for pieces. */
  addPart(part: Part): boolean {
    if (this.expect === Expect.Nothing) return true;
    this.nextAt = this.expect === Expect.Extents ? 1 : part.at + part.count;
    if (this.expect === Expect.DiscardedData) return true;
    return this.parts.add(part, this.expect === Expect.Extents);
  }

  /** Notes that a part will be answered later. */
  awaitPart(part: Part): void {
    this.simple = false;
    this.partsPending++;
    if (this.expect === Expect.Nothing) return;
    this.nextAt = this.expect === Expect.Extents ? 1 : part.at + part.count;
    this.parts.wait(part);
  }

  /** Whether nothing was answered yet, nor forwarded, and the call is still under way. */
  get isUntouched(): boolean {
    return this.state === State.Called && this.simple && this.nextAt === 0 &&
      this.request!.pieceCount === 0 && this.lie === "" && this.failure === 0;
  }

  /** The child has answered all of the request itself. */
  passOver(): void {
    this.nextAt = this.end;
  }

  /** The child is answering all of the request itself, and that finishes it. */
  awaitWhole(): void {
    this.simple = false;
    this.automatic = true;
    this.partsPending++;
    this.nextAt = this.end;
  }

  /** Whether `part` is still to become part of the answer. */
  awaits(part: Part): boolean {
    return this.parts.has(part);
  }

  /** Takes a part out that has failed, so that it can be asked for somewhere else. */
  dropPart(part: Part): void {
    const extents = this.expect === Expect.Extents;
    this.parts.drop(part, extents);
    if (extents) {
      if (!this.parts.any && this.request!.pieceCount === 0) this.nextAt = 0;
    } else if (part.at + part.count === this.nextAt) this.nextAt = part.at;
  }
}
