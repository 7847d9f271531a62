// SPDX-License-Identifier: MIT
// The connections that one instance has to other machines, by the numbers that it knows them by (ABI,
// "Capabilities"). Who there is to connect to, a StreamStore decides.

import { BlockError, Errno } from "../block/errno.ts";
import { Status } from "../block/request.ts";
import type { Host } from "./host.ts";

/** Connections that one instance may have. */
export const STREAMS_MAX = 16;
/** Bytes that one call may write. */
export const STREAM_BYTES_MAX = 2 ** 30;
/** What net_read reads into begins with its capacity and the number of bytes that were read. */
const HEADER_BYTES = 8;
const HIGH = 4294967296;

/** A connection that was made for a plugin. Nothing here waits. */
export interface GrantedStream {
  /** Receives up to `length` bytes to an address. Returns how many, 0 at the end, or a negative errno. */
  receive(address: number, length: number): number;
  /** Sends up to `length` bytes. Returns how many, or a negative errno. */
  send(address: number, length: number): number;
  /** Which of both to be told of when it makes sense to try again; then nothing more is told. */
  await(receive: boolean, send: boolean): void;
  close(): void;
}

/** What a stream tells, from `StreamStore.reap`. */
export interface StreamSink {
  /** The connection is there (0), or cannot be had. */
  connected(errno: number, text: string): void;
  /** Trying again makes sense. */
  ready(): void;
}

/** The machines that a plugin may connect to. */
export interface StreamStore {
  readonly completionFds: readonly number[];
  /** Begins to connect to `address`, which must have been granted. Throws BlockError. */
  open(address: string, sink: StreamSink): GrantedStream;
  reap(): void;
  close(): void;
}

/** One connection with what waits for it. */
class Stream implements StreamSink {
  stream!: GrantedStream;
  #isConnected = false;
  #isClosed = false;
  /** Tokens of what waits; 0 for nothing. */
  #connectToken: number;
  #readToken = 0;
  #writeToken = 0;
  #readPointer = 0;
  #writePointer = 0;
  #writeLeft = 0;

  constructor(readonly host: Host, token: number) {
    this.#connectToken = token;
  }

  connected(errno: number, text: string): void {
    const token = this.#connectToken;
    this.#connectToken = 0;
    this.#isConnected = errno === 0;
    if (token !== 0) this.host.done(token, errno, text);
  }

  ready(): void {
    if (this.#readToken !== 0) {
      const status = this.#receive(this.#readPointer);
      if (status !== Status.Pending) {
        const token = this.#readToken;
        this.#readToken = 0;
        this.host.done(token, status, "");
      }
    }
    if (this.#writeToken !== 0) {
      const status = this.#send();
      if (status !== Status.Pending) {
        const token = this.#writeToken;
        this.#writeToken = 0;
        this.host.done(token, status, "");
      }
    }
    this.#await();
  }

  read(pointer: number, token: number): number {
    if (!this.#isConnected) return Errno.ENOTCONN;
    if (this.#readToken !== 0) return Errno.EBUSY;
    const status = this.#receive(pointer);
    if (status !== Status.Pending) return status;
    this.#readPointer = pointer;
    this.#readToken = token;
    this.#await();
    return Status.Pending;
  }

  write(pointer: number, length: number, token: number): number {
    if (!this.#isConnected) return Errno.ENOTCONN;
    if (this.#writeToken !== 0) return Errno.EBUSY;
    this.#writePointer = pointer;
    this.#writeLeft = length;
    const status = this.#send();
    if (status !== Status.Pending) return status;
    this.#writeToken = token;
    this.#await();
    return Status.Pending;
  }

  /** Nobody is told of what waits. */
  close(): void {
    this.#isClosed = true;
    this.#isConnected = false;
    this.#connectToken = this.#readToken = this.#writeToken = 0;
    this.stream.close();
  }

  #await(): void {
    if (!this.#isClosed) this.stream.await(this.#readToken !== 0, this.#writeToken !== 0);
  }

  /** 0, a positive errno, or Status.Pending. The plugin may have changed what it waits with. */
  #receive(pointer: number): number {
    const { memory } = this.host;
    memory.refresh();
    if (!memory.contains(pointer, HEADER_BYTES)) return Errno.EFAULT;
    const capacity = memory.view.getUint32(pointer, true);
    const start = pointer + HEADER_BYTES;
    if (capacity === 0 || !memory.contains(start, capacity)) return Errno.EFAULT;
    const count = this.stream.receive(memory.address + start, capacity);
    if (count === -Errno.EAGAIN) return Status.Pending;
    if (count < 0) return -count;
    memory.view.setUint32(pointer + 4, count, true);
    return 0;
  }

  #send(): number {
    const { memory } = this.host;
    memory.refresh();
    while (this.#writeLeft > 0) {
      const count = this.stream.send(memory.address + this.#writePointer, this.#writeLeft);
      if (count === -Errno.EAGAIN) return Status.Pending;
      if (count <= 0) return -count || Errno.EPIPE;
      this.#writePointer += count;
      this.#writeLeft -= count;
    }
    return 0;
  }
}

/** See the top of this file. */
export class Streams {
  readonly #host: Host;
  readonly #store: StreamStore | null;
  readonly #streams: (Stream | null)[] = [];

  constructor(host: Host, store: StreamStore | null) {
    this.#host = host;
    this.#store = store;
  }

  /** Begins to connect. Returns a number or a negative errno. */
  open(address: string, token: number): number {
    if (this.#store === null) return -Errno.EPERM;
    if (!this.#hasToken("net_open", token)) return -Errno.EINVAL;
    let number = this.#streams.indexOf(null);
    if (number < 0) number = this.#streams.length;
    if (number >= STREAMS_MAX) return -Errno.EMFILE;
    const stream = new Stream(this.#host, token);
    try {
      stream.stream = this.#store.open(address, stream);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#host.errorText = error.message;
      return -error.errno;
    }
    this.#streams[number] = stream;
    return number;
  }

  read(number: number, pointer: number, token: number): number {
    const stream = this.#streams[number];
    if (!this.#hasToken("net_read", token)) return Errno.EINVAL;
    const { memory } = this.#host;
    memory.refresh();
    const inside = memory.contains(pointer, HEADER_BYTES) &&
      memory.contains(pointer + HEADER_BYTES, memory.view.getUint32(pointer, true));
    if (!inside) {
      this.#host.lied(`net_read: the buffer at ${pointer} is not in its memory`);
      return Errno.EINVAL;
    }
    return stream?.read(pointer, token) ?? Errno.EBADF;
  }

  write(
    number: number,
    pointer: number,
    countHigh: number,
    countLow: number,
    token: number,
  ): number {
    const stream = this.#streams[number];
    if (!this.#hasToken("net_write", token)) return Errno.EINVAL;
    const count = (countHigh >>> 0) * HIGH + (countLow >>> 0);
    const { memory } = this.#host;
    memory.refresh();
    if (count > STREAM_BYTES_MAX || !memory.contains(pointer, count)) {
      this.#host.lied(`net_write: ${count} bytes at ${pointer} are not in its memory`);
      return Errno.EINVAL;
    }
    return stream?.write(pointer, count, token) ?? Errno.EBADF;
  }

  close(number: number): void {
    this.#streams[number]?.close();
    if (this.#streams[number]) this.#streams[number] = null;
  }

  /** The instance has failed, or is thrown away: what it was in the middle of saying is lost. */
  closeAll(): void {
    for (const stream of this.#streams.splice(0)) stream?.close();
  }

  #hasToken(call: string, token: number): boolean {
    if (token !== 0 && this.#host.sbDone !== null) return true;
    this.#host.lied(
      token === 0
        ? `${call}: it never waits, so there is no token 0`
        : `${call}: there is no sb_done`,
    );
    return false;
  }
}
