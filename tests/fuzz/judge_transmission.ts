// SPDX-License-Identifier: MIT
// Reads a client's requests on its own and holds the answers of the server against them: each has
// one that a strict client accepts, in order, and reads give what was written before.

import { Command } from "../../core/block/request.ts";
import { Answer, type ByteQueue, ProtocolError, takeReply } from "../../core/nbd/client.ts";
import { type Agreed, expectedErrno, type SeenRequest } from "./expected_errno.ts";
import {
  CommandFlag,
  EXTENDED_REQUEST_MAGIC,
  Replies,
  REQUEST_MAGIC,
  WireErrno,
} from "../../core/nbd/wire.ts";

const ERRORS = new Set<number>(Object.values(WireErrno));
const COMPACT_PAYLOAD_MAX = 64 * 1024 * 1024;
const EXTENDED_PAYLOAD_MAX = 32 * 1024 * 1024;

/** What the judge has to know of the server. */
export interface Conditions extends Agreed {
  /** The device may answer wrongly: contents mean nothing. */
  lies: boolean;
  closed: boolean;
}

/** See the top of this file. Keeps what the export should contain. */
export class TransmissionJudge {
  readonly #stream: Uint8Array;
  readonly #view: DataView;
  readonly #output: ByteQueue;
  readonly #conditions: Conditions;
  readonly #contents: Uint8Array;
  #at: number;

  constructor(stream: Uint8Array, at: number, output: ByteQueue, conditions: Conditions) {
    this.#stream = stream;
    this.#view = new DataView(stream.buffer, stream.byteOffset, stream.length);
    this.#output = output;
    this.#conditions = conditions;
    this.#contents = new Uint8Array(conditions.info.sizeLow);
    this.#at = at;
  }

  /** Judges all of it; returns how many requests were answered. */
  judge(): number {
    let count = 0;
    for (;; count++) {
      const seen = this.#next();
      if (seen === "closed" || seen === "incomplete") {
        this.#assertEnd(seen === "closed");
        return count;
      }
      this.#judgeAnswer(seen);
    }
  }

  #assertEnd(closed: boolean): void {
    if (closed !== this.#conditions.closed) {
      throw new ProtocolError(closed ? "the server should have closed" : "the server has closed");
    }
    const left = this.#output.length;
    if (left > 0) throw new ProtocolError(`${left} bytes that nobody asked for`);
  }

  /** The next request that is whole. A payload that is refused is waited for all the same. */
  #next(): SeenRequest | "incomplete" | "closed" {
    const view = this.#view;
    const at = this.#at;
    const extended = this.#conditions.replies === Replies.Extended;
    const header = extended ? 32 : 28;
    if (this.#stream.length - at < header) return "incomplete";
    if (view.getUint32(at) !== (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)) return "closed";
    const flags = view.getUint16(at + 4);
    const command = view.getUint16(at + 6);
    const length = extended ? view.getBigUint64(at + 24) : BigInt(view.getUint32(at + 24));
    const announced = extended && (flags & CommandFlag.PayloadLength) !== 0;
    const carries = announced || command === Command.Write;
    const longest = extended ? EXTENDED_PAYLOAD_MAX : COMPACT_PAYLOAD_MAX;
    if (carries && length > longest) return "closed";
    const end = at + header + (carries ? Number(length) : 0);
    if (end > this.#stream.length) return "incomplete";
    if (command === Command.Disconnect) return "closed";
    this.#at = end;
    const payload = this.#stream.subarray(at + header, end);
    return {
      command,
      flags,
      cookie: view.getBigUint64(at + 8),
      offset: view.getBigUint64(at + 16),
      length,
      payload,
    };
  }

  #judgeAnswer(seen: SeenRequest): void {
    const answer = new Answer(seen);
    const isRead = seen.command === Command.Read;
    const pending = { readLength: () => isRead ? Number(seen.length) : null };
    while (!answer.done) {
      const reply = takeReply(this.#output, this.#conditions.replies, pending);
      if (reply === null) throw new ProtocolError(`no answer to command ${seen.command}`);
      if (reply.cookie !== seen.cookie) throw new ProtocolError("answer with another cookie");
      answer.add(reply);
    }
    for (const { errno } of answer.failures) {
      if (!ERRORS.has(errno)) throw new ProtocolError(`errno ${errno} on the wire`);
    }
    const expected = expectedErrno(seen, this.#conditions);
    // A device that lies may fail what is allowed, and the valid part of a read across the end.
    if (this.#conditions.lies && (expected === 0 || isRead)) return;
    if (expected === 0 || isRead) this.#judgeContents(seen, answer);
    if (answer.errno !== expected) {
      throw new ProtocolError(`${JSON.stringify(seen, plain)}: ${answer.errno}, not ${expected}`);
    }
  }

  #judgeContents(seen: SeenRequest, answer: Answer): void {
    const offset = Number(seen.offset);
    if (seen.command === Command.Read) return this.#judgeRead(answer);
    if (answer.errno !== 0) return;
    const length = Number(seen.length);
    if (offset + length > this.#conditions.info.sizeLow && changes(seen.command)) {
      throw new ProtocolError(`command ${seen.command} succeeded past the end`);
    }
    if (seen.command === Command.Write) this.#contents.set(seen.payload, offset);
    else if (changes(seen.command)) this.#contents.fill(0, offset, offset + length);
  }

  #judgeRead(answer: Answer): void {
    for (const { offset, length, data } of answer.content()) {
      const from = Number(offset);
      for (let i = 0; i < Number(length); i++) {
        if ((data === null ? 0 : data[i]) === this.#contents[from + i]) continue;
        throw new ProtocolError(`byte ${from + i} is not what was written`);
      }
    }
  }
}

/** For JSON: bigints in decimal, bytes by their number. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "bigint" ? `${value}` : value;
}

function changes(command: number): boolean {
  return command === Command.Write || command === Command.Trim || command === Command.WriteZeroes;
}
