// SPDX-License-Identifier: MIT
// For tests: a client that talks to a Loopback server, message by message, and reads the answers
// strictly.

import assert from "node:assert/strict";
import type { ExportInfo } from "../../block/export.ts";
import {
  Answer,
  ByteQueue,
  type ClientRequest,
  encodeClientFlags,
  encodeContextData,
  encodeInfoData,
  encodeOption,
  encodeRequest,
  type OptionReply,
  takeGreeting,
  takeOptionReply,
  takeReply,
} from "../client.ts";
import { BASE_ALLOCATION, ClientFlag, Option, Replies, Reply } from "../wire.ts";
import { Loopback } from "./loopback.ts";
import { ModelDirectory, type ModelExport } from "./model_export.ts";

const FLAGS = ClientFlag.FixedNewstyle | ClientFlag.NoZeroes;

/** A handshake, one option at a time. */
export class Talk {
  readonly directory: ModelDirectory;
  readonly server: Loopback;
  readonly queue = new ByteQueue();

  constructor(
    exports: ExportInfo[] | ModelDirectory,
    options: { flags?: number; optionsMax?: number } = {},
  ) {
    this.directory = exports instanceof ModelDirectory ? exports : new ModelDirectory(exports);
    this.server = new Loopback(this.directory, options.optionsMax);
    this.#pull();
    assert.notEqual(takeGreeting(this.queue), null);
    this.send(encodeClientFlags(options.flags ?? FLAGS));
  }

  get closed(): boolean {
    return this.server.closed;
  }

  send(bytes: Uint8Array): void {
    this.server.receive(bytes);
    this.#pull();
  }

  /** Sends an option; `announced` may lie about the length of its data. */
  option(option: number, data?: Uint8Array, announced?: number): OptionReply[] {
    this.send(encodeOption(option, data, announced));
    return this.replies(option);
  }

  /** The replies that have come; all must be about `option`. */
  replies(option: number): OptionReply[] {
    const replies: OptionReply[] = [];
    for (let reply = takeOptionReply(this.queue); reply !== null;) {
      assert.equal(reply.option, option);
      replies.push(reply);
      reply = takeOptionReply(this.queue);
    }
    return replies;
  }

  /** Sends an option and returns the types of the replies. */
  types(option: number, data?: Uint8Array, announced?: number): number[] {
    return this.option(option, data, announced).map(({ type }) => type);
  }

  /** Fails unless the next option is understood as such. */
  assertInStep(): void {
    assert.deepEqual(this.types(Option.List).at(-1), Reply.Ack);
  }

  #pull(): void {
    this.queue.push(this.server.takeOutput());
  }
}

/** What `Client` agrees on before transmission. */
export interface ClientTerms {
  replies?: Replies;
  contexts?: boolean;
}

/** Transmission, one request at a time. */
export class Client {
  readonly talk: Talk;
  readonly replies: Replies;
  #cookie = 1n;

  constructor(info: ExportInfo, terms: ClientTerms = {}) {
    this.talk = new Talk([info]);
    this.replies = terms.replies ?? Replies.Simple;
    const options = [null, Option.StructuredReply, Option.ExtendedHeaders];
    const option = options[this.replies];
    if (option) assert.deepEqual(this.talk.types(option), [Reply.Ack]);
    if (terms.contexts) {
      const data = encodeContextData("", [BASE_ALLOCATION]);
      assert.equal(this.talk.types(Option.SetMetaContext, data).at(-1), Reply.Ack);
    }
    const go = this.talk.types(Option.Go, encodeInfoData("", [3]));
    assert.equal(go.at(-1), Reply.Ack);
  }

  get server(): Loopback {
    return this.talk.server;
  }

  get export(): ModelExport {
    return this.server.export;
  }

  /** Sends a request and returns the answer; null where the server closed the connection. */
  ask(fields: ClientRequest): Answer | null {
    const cookie = fields.cookie ?? this.#cookie++;
    const request = { ...fields, cookie };
    this.talk.send(encodeRequest(request, this.replies));
    return this.answer(request);
  }

  /** Reads the answer to a request that was sent. */
  answer(request: ClientRequest): Answer | null {
    const answer = new Answer(request);
    const isRead = request.command === 0;
    const pending = {
      readLength: (cookie: bigint) => {
        assert.equal(cookie, request.cookie);
        return isRead ? Number(request.length ?? 0n) : null;
      },
    };
    while (!answer.done) {
      const reply = takeReply(this.talk.queue, this.replies, pending);
      if (reply === null) {
        assert.ok(this.talk.closed, "no answer");
        return null;
      }
      assert.equal(reply.cookie, request.cookie);
      answer.add(reply);
    }
    assert.equal(this.talk.queue.length, 0, "more than an answer");
    return answer;
  }

  /** The errno of the answer. */
  errno(fields: ClientRequest): number {
    const answer = this.ask(fields);
    assert.ok(answer !== null, "the server closed the connection");
    return answer.errno;
  }

  /** Fails unless the next request is understood as such. */
  assertInStep(): void {
    assert.equal(this.errno({ command: 0, length: 1n }), 0);
  }
}
