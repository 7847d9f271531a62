// SPDX-License-Identifier: MIT
// A client that a test drives step by step, right or wrong, over a unix socket or another stream.

import {
  type Agreement,
  Answer,
  ByteQueue,
  ClientNegotiation,
  type ClientRequest,
  type ClientWishes,
  encodeClientFlags,
  encodeOption,
  encodeRequest,
  type OptionReply,
  type ServerReply,
  takeGreeting,
  takeOptionReply,
  takeReply,
} from "../../core/nbd/client.ts";
import { Command } from "../../core/block/request.ts";
import { ClientFlag, GREETING_LENGTH, Replies, Reply } from "../../core/nbd/wire.ts";
import { concatenated } from "./bytes.ts";
import { PATIENCE_MS, within } from "./deadline.ts";

export type { Agreement, ClientRequest, ClientWishes, OptionReply, ServerReply };

/** What a client needs of a connection. */
export interface Stream {
  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending direction only. */
  closeWrite(): Promise<void>;
  close(): void;
}

const ERROR_BIT = 0x80000000;
const CHUNK = 256 * 1024;

/** See the top of this file. For `await using`. */
export class WireClient implements AsyncDisposable {
  /** What was agreed on in `negotiate`. */
  agreement: Agreement | null = null;
  /** How replies are framed; tests that negotiate by hand set it. */
  replies: Replies = Replies.Simple;
  readonly #stream: Stream;
  readonly #queue = new ByteQueue();
  readonly #buffer = new Uint8Array(CHUNK);
  readonly #answers = new Map<bigint, Answer>();
  #lastCookie = 0n;
  #open = true;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Connects to the unix socket at `path`. */
  static async connect(path: string): Promise<WireClient> {
    return new WireClient(await Deno.connect({ transport: "unix", path }));
  }

  /** Sends bytes as they are. */
  async send(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const sent = this.#stream.write(rest);
      rest = rest.subarray(await within(sent, `room for ${rest.length} bytes`));
    }
  }

  /** Takes the next `length` bytes. Throws Error where the connection ends before. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length) {
      if (!await this.#receive()) throw new Error(`the server closed before ${length} bytes`);
    }
    return this.#queue.take(length);
  }

  /** Waits until the server closes the connection. Throws Error if it says something before. */
  async closed(timeoutMs = PATIENCE_MS): Promise<void> {
    while (await this.#receive(timeoutMs));
    if (this.#queue.length === 0) return;
    throw new Error(`the server sent ${this.#queue.length} bytes before it closed`);
  }

  /** Reads the greeting and answers it; the handshake flags. */
  async greet(flags: number = ClientFlag.FixedNewstyle | ClientFlag.NoZeroes): Promise<number> {
    while (this.#queue.length < GREETING_LENGTH) await this.#receiveMore();
    const serverFlags = takeGreeting(this.#queue)!;
    await this.send(encodeClientFlags(flags));
    return serverFlags;
  }

  /** Sends an option; its replies up to the last one. */
  async option(option: number, data?: Uint8Array, announced?: number): Promise<OptionReply[]> {
    await this.send(encodeOption(option, data, announced));
    return await this.optionReplies();
  }

  /** The replies to an option up to the last one, an ACK or an error. */
  async optionReplies(): Promise<OptionReply[]> {
    const replies: OptionReply[] = [];
    while (true) {
      const reply = takeOptionReply(this.#queue);
      if (reply === null) {
        await this.#receiveMore();
        continue;
      }
      replies.push(reply);
      if (reply.type === Reply.Ack || reply.type >= ERROR_BIT) return replies;
    }
  }

  /** Sends an option that is answered by one reply; its type. */
  async ask(option: number, data?: Uint8Array, announced?: number): Promise<number> {
    const replies = await this.option(option, data, announced);
    if (replies.length === 1) return replies[0]!.type;
    throw new Error(`option ${option} has ${replies.length} replies`);
  }

  /** The whole handshake as a well-behaved client does it. Throws Error where it is refused. */
  async negotiate(wishes: Partial<ClientWishes> = {}): Promise<Agreement> {
    const negotiation = new ClientNegotiation({ exportName: "", ...wishes });
    while (negotiation.state === "negotiating") {
      if (this.#queue.length === 0) await this.#receiveMore();
      negotiation.receive(this.#queue.take(this.#queue.length));
      for (const bytes of negotiation.takeOutput()) await this.send(bytes);
    }
    if (negotiation.state === "failed") throw new Error(`refused: ${negotiation.failure}`);
    this.#queue.push(negotiation.takeRest());
    this.agreement = negotiation.agreement;
    this.replies = negotiation.agreement.replies;
    return negotiation.agreement;
  }

  /** Sends a request with a cookie of its own, unless it has one; the cookie. */
  async post(request: ClientRequest): Promise<bigint> {
    const whole = this.#expect(request);
    await this.send(encodeRequest(whole, this.replies));
    return whole.cookie;
  }

  /** The cookie of a request that the caller sends by itself. */
  expect(request: ClientRequest): bigint {
    return this.#expect(request).cookie;
  }

  /** Sends all requests in one piece and waits for the answers to them. */
  async requestAll(requests: readonly ClientRequest[]): Promise<Answer[]> {
    const whole = requests.map((request) => this.#expect(request));
    const parts = whole.map((request) => encodeRequest(request, this.replies));
    // Receives meanwhile: the server may stop reading before everything is sent.
    const sending = this.send(concatenated(...parts));
    sending.catch(() => {});
    const answers: Answer[] = [];
    for (const { cookie } of whole) answers.push(await this.answer(cookie));
    await sending;
    return answers;
  }

  /** The answer to a request that was posted. Throws ProtocolError where it is against the rules. */
  async answer(cookie: bigint): Promise<Answer> {
    const answer = this.#answers.get(cookie);
    if (answer === undefined) throw new Error(`there is no request with cookie ${cookie}`);
    while (!answer.done) await this.reply();
    this.#answers.delete(cookie);
    return answer;
  }

  /** Posts a request and waits for the answer. */
  async request(request: ClientRequest): Promise<Answer> {
    return await this.answer(await this.post(request));
  }

  /** The next message of the server, which also becomes part of the answer it belongs to. */
  async reply(): Promise<ServerReply> {
    const pending = { readLength: (cookie: bigint) => this.#readLength(cookie) };
    while (true) {
      const reply = takeReply(this.#queue, this.replies, pending);
      if (reply === null) {
        await this.#receiveMore();
        continue;
      }
      const answer = this.#answers.get(reply.cookie);
      if (answer === undefined) throw new Error(`a reply to nobody: cookie ${reply.cookie}`);
      answer.add(reply);
      return reply;
    }
  }

  /** Reads `length` bytes. Throws Error where that fails. */
  async read(offset: bigint | number, length: number): Promise<Uint8Array> {
    const request = { command: Command.Read, offset: BigInt(offset), length: BigInt(length) };
    const answer = await this.request(request);
    if (answer.errno !== 0) throw new Error(`read failed: ${answer.errno}`);
    return answer.data();
  }

  /** Writes bytes; the errno, 0 where it succeeded. */
  async write(offset: bigint | number, payload: Uint8Array, flags = 0): Promise<number> {
    const request = { command: Command.Write, offset: BigInt(offset), payload, flags };
    return (await this.request(request)).errno;
  }

  /** A request without a payload; the errno, 0 where it succeeded. */
  async perform(command: number, offset = 0n, length = 0n, flags = 0): Promise<number> {
    return (await this.request({ command, offset, length, flags })).errno;
  }

  /** Says goodbye and waits until the server has closed the connection. */
  async leave(): Promise<void> {
    await this.send(encodeRequest({ command: Command.Disconnect }, this.replies));
    await this.closed();
  }

  /** Sends nothing more and receives still. */
  async closeWrite(): Promise<void> {
    await this.#stream.closeWrite();
  }

  /** Ends the connection without a word. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** The request with its cookie; an answer to it is expected from now on. */
  #expect(request: ClientRequest): ClientRequest & { cookie: bigint } {
    const whole = { ...request, cookie: request.cookie ?? ++this.#lastCookie };
    this.#answers.set(whole.cookie, new Answer(whole));
    return whole;
  }

  #readLength(cookie: bigint): number | null {
    const request = this.#answers.get(cookie)?.request;
    return request?.command === Command.Read ? Number(request.length ?? 0n) : null;
  }

  async #receiveMore(): Promise<void> {
    if (!await this.#receive()) throw new Error("the server closed the connection");
  }

  /** Receives what is there; false at the end of the connection. */
  async #receive(timeoutMs = PATIENCE_MS): Promise<boolean> {
    const reading = this.#stream.read(this.#buffer);
    try {
      const count = await within(reading, "the server to say something", timeoutMs);
      if (count !== null) this.#queue.push(this.#buffer.subarray(0, count));
      return count !== null;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return false;
      // Ends the read too, which nobody waits for any more.
      this.close();
      await reading.catch(() => {});
      throw error;
    }
  }
}
