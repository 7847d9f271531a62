// SPDX-License-Identifier: MIT
// All replies about one request put together, with what the protocol demands of them as a whole
// (proto.md "Request types"): content inside the request and not twice, errors not mixed.

import { Command } from "../block/request.ts";
import type { ReplyContent, ServerReply, StatusExtent } from "./client_replies.ts";
import type { ClientRequest } from "./client_requests.ts";
import { ProtocolError } from "./protocol_error.ts";
import { CommandFlag } from "./wire.ts";

/** A failure that the server reported. */
export interface ServerFailure {
  errno: number;
  message: string;
  offset: bigint | null;
}

/** A part of a read. */
export interface Content {
  offset: bigint;
  length: bigint;
  /** All zeroes, sent as such. */
  hole: boolean;
  /** Null for a hole. */
  data: Uint8Array | null;
}

/** See the top of this file. Give it each reply with the cookie of the request, in order. */
export class Answer {
  readonly request: ClientRequest;
  /** Extents by context id. */
  readonly extents = new Map<number, StatusExtent[]>();
  readonly failures: ServerFailure[] = [];
  done = false;
  readonly #offset: bigint;
  readonly #length: bigint;
  readonly #ranges: Content[] = [];

  constructor(request: ClientRequest) {
    this.request = request;
    this.#offset = request.offset ?? 0n;
    this.#length = request.length ?? BigInt(request.payload?.length ?? 0);
  }

  /** 0 where the server reported no failure, else that of the first one. */
  get errno(): number {
    return this.failures[0]?.errno ?? 0;
  }

  add(reply: ServerReply): void {
    if (this.done) this.#fail("a reply follows the last one");
    if (reply.requestOffset !== null && reply.requestOffset !== this.#offset) {
      this.#fail("the reply has the offset of another request");
    }
    const { content } = reply;
    // A simple reply does not say where its data belongs: it is all of what was asked for.
    if (reply.type === null && content.kind === "data") content.offset = this.#offset;
    this.#addContent(content);
    if (reply.done) this.#finish();
  }

  /** The bytes read, with zeroes for holes; what the server did not send is zero too. */
  data(): Uint8Array {
    const all = new Uint8Array(Number(this.#length));
    for (const { offset, data } of this.#ranges) {
      if (data !== null) all.set(data, Number(offset - this.#offset));
    }
    return all;
  }

  /** Parts of the request that content came for, in the order in which it came. */
  content(): readonly Content[] {
    return this.#ranges;
  }

  #addContent(content: ReplyContent): void {
    switch (content.kind) {
      case "none":
        return;
      case "data":
        return this.#addRange({
          offset: content.offset,
          length: BigInt(content.bytes.length),
          hole: false,
          data: content.bytes,
        });
      case "hole":
        return this.#addRange({
          offset: content.offset,
          length: content.length,
          hole: true,
          data: null,
        });
      case "status":
        return this.#addStatus(content.contextId, content.extents);
      case "error":
        return this.#addFailure(content);
    }
  }

  #addRange(range: Content): void {
    const { offset, length } = range;
    if (this.request.command !== Command.Read) this.#fail("content for what is no read");
    const before = offset - this.#offset;
    if (before < 0n || before + length > this.#length) this.#fail("content outside the request");
    for (const other of this.#ranges) {
      if (offset < other.offset + other.length && other.offset < offset + length) {
        this.#fail("content that came before");
      }
    }
    for (const { offset: bad } of this.failures) {
      if (bad !== null && bad >= offset && bad < offset + length) {
        this.#fail("content after the error in it");
      }
    }
    this.#ranges.push(range);
    if (((this.request.flags ?? 0) & CommandFlag.Df) !== 0 && this.#ranges.length > 1) {
      this.#fail("more than one content chunk");
    }
  }

  #addStatus(contextId: number, extents: StatusExtent[]): void {
    if (this.request.command !== Command.BlockStatus) this.#fail("status that was not asked for");
    if (this.extents.has(contextId)) this.#fail("two status chunks for a context");
    const one = ((this.request.flags ?? 0) & CommandFlag.ReqOne) !== 0;
    if (one && extents.length > 1) this.#fail("more than one extent");
    const length = effectLength(this.request, this.#length);
    // The last extent may reach beyond the request, but not if one was asked for.
    const inside = one ? extents : extents.slice(0, -1);
    const sum = inside.reduce((total, extent) => total + extent.length, 0n);
    if (sum > length || (!one && sum === length)) this.#fail("extents beyond the request");
    this.extents.set(contextId, extents);
  }

  #addFailure({ errno, message, offset }: ServerFailure): void {
    const before = (offset ?? this.#offset) - this.#offset;
    if (offset !== null && (before < 0n || before >= this.#length)) {
      this.#fail("an error outside the request");
    }
    for (const other of this.failures) {
      if (other.offset === null || offset === null) this.#fail("an error besides a general one");
    }
    this.failures.push({ errno, message, offset });
  }

  #finish(): void {
    this.done = true;
    if (this.failures.length > 0) return;
    if (this.request.command === Command.Read) {
      const sum = this.#ranges.reduce((total, { length }) => total + length, 0n);
      if (sum !== this.#length) this.#fail(`${sum} of ${this.#length} bytes`);
    }
    if (this.request.command === Command.BlockStatus && this.extents.size === 0) {
      this.#fail("no status");
    }
  }

  #fail(fact: string): never {
    throw new ProtocolError(`cannot use answer to request ${this.request.command}: ${fact}`);
  }
}

/** What a block status request is about: its payload says so where it has one. */
function effectLength({ payload }: ClientRequest, length: bigint): bigint {
  if (payload === undefined || payload.length < 8) return length;
  return new DataView(payload.buffer, payload.byteOffset).getBigUint64(0);
}
