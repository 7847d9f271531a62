// SPDX-License-Identifier: MIT
// For tests: a server without sockets. Bytes of a client go in, bytes for it come out, through the
// same functions as in the reactor and in the same order.

import { Buffer } from "node:buffer";
import { Command, Request } from "../../block/request.ts";
import { ByteQueue } from "../bytes.ts";
import type { ExportDirectory } from "../directory.ts";
import { Negotiation } from "../negotiation.ts";
import { frameReply } from "../reply.ts";
import {
  decodeRequest,
  PAYLOAD_TOO_LARGE,
  payloadLength,
  requestHeaderLength,
} from "../request.ts";
import type { Session } from "../session.ts";
import { ANSWERED, applyStatusPayload, validateRequest } from "../validate.ts";
import { ByteGather } from "./byte_gather.ts";
import { type ModelExport, PAYLOAD_POINTER } from "./model_export.ts";

const OPTIONS_MAX = 64;
const NOTHING = new Uint8Array(0);

/** See the top of this file. */
export class Loopback {
  readonly negotiation: Negotiation;
  /** The server has closed the connection. */
  closed = false;
  /** Why it has. */
  reason = "";
  /** The last answer of the device that was none; empty if all were fine. */
  lie = "";
  readonly #queue = new ByteQueue();
  readonly #request = new Request();
  #output: Uint8Array[] = [];
  #gather: ByteGather | null = null;
  #skip = 0;
  #verdict = 0;

  constructor(directory: ExportDirectory, optionsMax = OPTIONS_MAX) {
    this.negotiation = new Negotiation({ directory, limits: { optionsMax }, peer: "test" });
    this.#output.push(this.negotiation.greeting());
  }

  get session(): Session {
    const session = this.negotiation.session;
    if (session === null) throw new Error("The handshake is not over");
    return session;
  }

  /** The export that transmission is about. */
  get export(): ModelExport {
    return this.session.export as ModelExport;
  }

  /** Takes bytes of the client. */
  receive(bytes: Uint8Array): void {
    let at = 0;
    while (this.negotiation.state === "negotiating" && at < bytes.length) {
      at += this.negotiation.receive(bytes.subarray(at));
      const output = this.negotiation.takeOutput();
      if (output.length > 0) this.#output.push(output);
    }
    if (this.negotiation.state === "closed") this.#close(this.negotiation.closeReason);
    if (this.closed || this.negotiation.state === "negotiating") return;
    this.#queue.push(bytes.subarray(at));
    while (!this.closed && this.#next());
  }

  /** Bytes for the client. */
  takeOutput(): Uint8Array {
    if (this.#gather !== null && this.#gather.length > 0) {
      this.#output.push(this.#gather.takeBytes());
    }
    const parts = this.#output;
    if (parts.length === 0) return NOTHING;
    this.#output = [];
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  #close(reason: string): void {
    this.closed = true;
    this.reason = reason;
  }

  /** Handles one request; false when there is none yet. */
  #next(): boolean {
    if (this.#skip > 0) return this.#skipPayload();
    const { session } = this;
    const headerLength = requestHeaderLength(session.replies);
    const header = this.#queue.peek(headerLength);
    if (header === null) return false;
    const request = this.#request;
    if (!decodeRequest(header.view, 0, session.replies, request)) {
      this.#close("bad magic number");
      return false;
    }
    const payload = payloadLength(request, session.replies);
    if (payload === PAYLOAD_TOO_LARGE) {
      this.#close("payload too large");
      return false;
    }
    this.#verdict = validateRequest(request, session);
    if (this.#verdict > 0) {
      this.#queue.skip(headerLength);
      this.#skip = payload;
      if (payload === 0) this.#answer(this.#verdict);
      return true;
    }
    if (this.#queue.length < headerLength + payload) return false;
    this.#queue.skip(headerLength);
    this.#execute(this.#queue.take(payload));
    return true;
  }

  #skipPayload(): boolean {
    const length = Math.min(this.#skip, this.#queue.length);
    this.#queue.skip(length);
    this.#skip -= length;
    if (this.#skip === 0) this.#answer(this.#verdict);
    return length > 0;
  }

  #execute(payload: Uint8Array): void {
    const { session } = this;
    const request = this.#request;
    let verdict = this.#verdict;
    if (request.command === Command.Disconnect) return this.#close("");
    if (request.command === Command.BlockStatus && payload.length > 0) {
      const view = new DataView(payload.buffer);
      verdict = applyStatusPayload(view, 0, payload.length, request, session);
    } else if (payload.length > 0) {
      this.export.memory.bytes.set(payload, PAYLOAD_POINTER);
      request.payload = PAYLOAD_POINTER;
    }
    if (verdict === 0) verdict = session.export.submit(request);
    this.#answer(verdict === ANSWERED ? 0 : verdict);
  }

  #answer(errno: number): void {
    this.#gather ??= new ByteGather(this.export.memory);
    if (!frameReply(this.#request, errno, this.session, this.#gather)) {
      this.lie = this.#request.errorText;
    }
  }
}
