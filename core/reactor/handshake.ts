// SPDX-License-Identifier: MIT
// The handshake of one connection: moves bytes between the socket and core/nbd's Negotiation.

import { Errno } from "../block/errno.ts";
import { type Move, Negotiation, type NegotiationOptions } from "../nbd/negotiation.ts";
import type { Session } from "../nbd/session.ts";
import { lastErrno } from "../../native/errno.ts";
import { libc } from "../../native/libc.ts";
import { type Phase, Turn } from "./phase.ts";

/** Bytes received at a time; all handshakes of a reactor share the buffer. */
const RECEIVE_BYTES = 64 * 1024;
/** When the server stops, so often each client is read from once more. */
const DRAIN_TURNS_MAX = 16;
const HIGH = 4294967296;

const buffer = new Uint8Array(RECEIVE_BYTES);
const sendVector = new Uint32Array(4);
const receiveVector = iovecOf(buffer, new Uint32Array(4));

// Asking for `buffer` first moves a small array off V8's heap, where it cannot be moved again.
function iovecOf(
  bytes: Uint8Array<ArrayBuffer>,
  iovec: Uint32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(whole)));
  iovec[0] = address;
  iovec[1] = address / HIGH;
  iovec[2] = bytes.length;
  return new Uint8Array(iovec.buffer);
}

/** See the top of this file. */
export class Handshake implements Phase {
  readonly holdsMemory = false;
  readonly watchedOnlyAsleep = false;
  /** Bytes that were received behind the end of the handshake. */
  leftover: Uint8Array = new Uint8Array(0);

  readonly #negotiation: Negotiation;
  readonly #inputFd: number;
  readonly #outputFd: number;
  #unsent: Uint8Array<ArrayBuffer>;
  /** Received but not consumed, because much output was waiting. */
  #unread: Uint8Array = new Uint8Array(0);
  #gone = false;

  /** `received`: what has come already, where `options.progress` says that it began elsewhere. */
  constructor(
    options: NegotiationOptions,
    descriptors: { inputFd: number; outputFd: number },
    received: Uint8Array = new Uint8Array(0),
  ) {
    this.#negotiation = new Negotiation(options);
    this.#inputFd = descriptors.inputFd;
    this.#outputFd = descriptors.outputFd;
    this.#unread = received;
    const greeting = options.progress === undefined ? this.#negotiation.greeting() : [];
    this.#unsent = new Uint8Array(greeting);
  }

  get wantsInput(): boolean {
    return this.#unsent.length === 0 && !this.#negotiation.waiting;
  }

  get wantsOutput(): boolean {
    return this.#unsent.length > 0;
  }

  /** What was agreed on, after Turn.Agreed. The caller owns its export from then on. */
  get session(): Session {
    return this.#negotiation.session!;
  }

  /** Where it goes on, after Turn.Moved, with `leftover` behind the bytes of the move. */
  get move(): Move {
    return this.#negotiation.move!;
  }

  /** Why the server has closed the connection; empty if it has not. */
  get closeReason(): string {
    return this.#negotiation.closeReason;
  }

  turn(): number {
    if (this.#gone) return Turn.Closed;
    if (this.#unsent.length > 0 && !this.#send()) return this.#gone ? Turn.Closed : Turn.Idle;
    if (this.#negotiation.state === "closed") return Turn.Closed;
    if (this.#negotiation.state === "transmission") return Turn.Agreed;
    if (this.#negotiation.state === "moved") return Turn.Moved;
    if (this.#negotiation.waiting) {
      this.#negotiation.resume();
      return this.#negotiation.waiting ? Turn.Deferred : this.#handOn(this.#unread);
    }
    const bytes = this.#unread.length > 0 ? this.#unread : this.#receive();
    if (bytes === null) return this.#gone ? Turn.Closed : Turn.Idle;
    const consumed = this.#negotiation.receive(bytes);
    return this.#handOn(consumed < bytes.length ? bytes.slice(consumed) : new Uint8Array(0));
  }

  /** Sends what there is to be sent; `rest` was received and not consumed. */
  #handOn(rest: Uint8Array): number {
    const state: string = this.#negotiation.state;
    const over = state === "transmission" || state === "moved";
    this.#unread = over ? new Uint8Array(0) : rest;
    if (over) this.leftover = rest;
    this.#unsent = new Uint8Array(this.#negotiation.takeOutput());
    this.#send();
    return Turn.Worked;
  }

  pause(): void {}

  drain(): void {
    this.#negotiation.shutdown();
    // What has reached this machine already is refused in words rather than by closing.
    for (let i = 0; i < DRAIN_TURNS_MAX && this.turn() === Turn.Worked; i++);
    this.#gone = true;
  }

  hangUp(): void {
    this.#gone = true;
  }

  close(): void {
    this.#negotiation.abandon();
  }

  #receive(): Uint8Array | null {
    const received = libc.readv(this.#inputFd, receiveVector, 1);
    if (received > 0) return buffer.subarray(0, received);
    this.#gone = received === 0 || !isTransient(lastErrno());
    return null;
  }

  /** Whether all is sent. */
  #send(): boolean {
    while (this.#unsent.length > 0) {
      const sent = libc.writev(this.#outputFd, iovecOf(this.#unsent, sendVector), 1);
      if (sent < 0) {
        this.#gone = !isTransient(lastErrno());
        return false;
      }
      this.#unsent = this.#unsent.subarray(sent);
    }
    return true;
  }
}

function isTransient(errno: number): boolean {
  return errno === Errno.EAGAIN || errno === Errno.EINTR;
}
