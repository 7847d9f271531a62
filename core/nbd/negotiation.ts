// SPDX-License-Identifier: MIT
// The server's side of the handshake (proto.md "Fixed newstyle negotiation"). Pure: bytes in, bytes
// out. Knows the framing of options and stays in step; what each option does is in the table.

import { ByteWriter } from "./bytes.ts";
import { NotYet } from "../block/device.ts";
import { Elsewhere, type ExportDirectory } from "./directory.ts";
import { Haggling, type NegotiationState } from "./haggling.ts";
import { OPTION_LENGTH_MAX, OUTPUT_PENDING_MAX } from "./limits.ts";
import type { OptionHandler, OptionTable } from "./option_table.ts";
import { OPTION_TABLE } from "./options.ts";
import { PartialMessage } from "./partial_message.ts";
import type { Session } from "./session.ts";
import {
  CLIENT_FLAGS_LENGTH,
  ClientFlag,
  GREETING_LENGTH,
  HandshakeFlag,
  NBD_MAGIC,
  Option,
  OPTION_HEADER_LENGTH,
  OPTION_MAGIC,
  type Replies,
  Reply,
} from "./wire.ts";

export type { ExportDirectory, NegotiationState };

/** Bounds of a handshake that a server can set; the fixed ones are in limits.ts. */
export interface NegotiationLimits {
  /** Options that a client may send; one more closes the connection. */
  optionsMax: number;
}

export interface NegotiationOptions {
  directory: ExportDirectory;
  limits: NegotiationLimits;
  /** Handlers of options; OPTION_TABLE unless given. */
  options?: OptionTable;
  /** Who the client is, in words. */
  peer: string;
  /** What another place has agreed on already. */
  progress?: NegotiationProgress;
}

/** What a handshake has agreed on before an export is named. Plain data. */
export interface NegotiationProgress {
  fixedNewstyle: boolean;
  noZeroes: boolean;
  replies: Replies;
  optionCount: number;
}

/** A handshake that has named an export which another place serves. */
export interface Move {
  place: number;
  progress: NegotiationProgress;
  /** The option that has named the export, to be taken again there. */
  bytes: Uint8Array;
}

/** What the bytes that come next are. */
const Expect = { ClientFlags: 0, OptionHeader: 1, OptionData: 2 } as const;

const CLIENT_FLAGS_KNOWN = ClientFlag.FixedNewstyle | ClientFlag.NoZeroes;

/** See the top of this file. */
export class Negotiation {
  readonly #haggling: Haggling;
  readonly #table: OptionTable;
  readonly #optionsMax: number;
  readonly #message = new PartialMessage();
  #expect: typeof Expect[keyof typeof Expect] = Expect.ClientFlags;
  #fixedNewstyle = false;
  #optionCount = 0;
  #handler: OptionHandler | undefined;
  #overlong = false;
  #shuttingDown = false;
  #move: Move | null = null;
  /** The data of the option that waits for an export; null unless one does. */
  #deferred: Uint8Array | null = null;

  constructor(options: NegotiationOptions) {
    this.#haggling = new Haggling(options.directory, options.peer);
    this.#table = options.options ?? OPTION_TABLE;
    this.#optionsMax = options.limits.optionsMax;
    const { progress } = options;
    if (progress === undefined) {
      this.#message.expect(CLIENT_FLAGS_LENGTH);
      return;
    }
    this.#fixedNewstyle = progress.fixedNewstyle;
    this.#haggling.noZeroes = progress.noZeroes;
    this.#haggling.replies = progress.replies;
    this.#optionCount = progress.optionCount;
    this.#expectOption();
  }

  /** Where it goes on, in state "moved", once what `takeOutput` gives is sent. */
  get move(): Move | null {
    return this.#move;
  }

  /** "closed": send what `takeOutput` gives, then close the connection. */
  get state(): NegotiationState {
    return this.#haggling.state;
  }

  /** Whether an option waits for an export to be opened: nothing is received, `resume` tries again. */
  get waiting(): boolean {
    return this.#deferred !== null;
  }

  /** Tries again to answer the option that waits. */
  resume(): void {
    if (this.#deferred !== null && this.state === "negotiating") this.#takeOption();
  }

  /** What was agreed on, in state "transmission". It owns the export from then on. */
  get session(): Session | null {
    return this.#haggling.session;
  }

  /** Why it is closed. */
  get closeReason(): string {
    return this.#haggling.closeReason;
  }

  /** What the server sends first, once, before anything that `takeOutput` gives. */
  greeting(): Uint8Array {
    const greeting = new ByteWriter(GREETING_LENGTH);
    greeting.halves(NBD_MAGIC.high, NBD_MAGIC.low).halves(OPTION_MAGIC.high, OPTION_MAGIC.low);
    return greeting.u16(HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes).finish();
  }

  /**
   * Takes bytes that the client has sent and returns how many were consumed. Fewer than given: the
   * handshake is over and the rest belongs to transmission; or, in state "negotiating", much output
   * is waiting: send it, then call again with the rest. Bytes are not referred to after the call.
   */
  receive(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.state === "negotiating" && !this.waiting) {
      if (this.#haggling.outputLength >= OUTPUT_PENDING_MAX) break;
      at += this.#message.take(bytes, at);
      while (this.#message.complete && this.state === "negotiating" && !this.waiting) this.#step();
    }
    return at;
  }

  /** Bytes to send now, possibly none; they are not given again. */
  takeOutput(): Uint8Array {
    return this.#haggling.takeOutput();
  }

  /** From now on each option but ABORT is answered with Shutdown. */
  shutdown(): void {
    this.#shuttingDown = true;
  }

  /** The connection is gone: closes the export that may be open. Harmless after the handshake. */
  abandon(): void {
    this.#haggling.close("connection lost");
  }

  /** Acts on one complete part and says what is expected next. */
  #step(): void {
    switch (this.#expect) {
      case Expect.ClientFlags:
        return this.#takeClientFlags();
      case Expect.OptionHeader:
        return this.#takeOptionHeader();
      case Expect.OptionData:
        return this.#takeOption();
    }
  }

  #takeClientFlags(): void {
    const part = this.#message.part;
    const flags = new DataView(part.buffer, part.byteOffset).getUint32(0);
    if ((flags & ~CLIENT_FLAGS_KNOWN) !== 0) {
      return this.#haggling.close(`client has set unknown flags 0x${flags.toString(16)}`);
    }
    this.#fixedNewstyle = (flags & ClientFlag.FixedNewstyle) !== 0;
    this.#haggling.noZeroes = (flags & ClientFlag.NoZeroes) !== 0;
    this.#expectOption();
  }

  #expectOption(): void {
    this.#expect = Expect.OptionHeader;
    this.#message.expect(OPTION_HEADER_LENGTH);
  }

  #takeOptionHeader(): void {
    const part = this.#message.part;
    const view = new DataView(part.buffer, part.byteOffset);
    const option = view.getUint32(8);
    const length = view.getUint32(12);
    if (view.getUint32(0) !== OPTION_MAGIC.high || view.getUint32(4) !== OPTION_MAGIC.low) {
      return this.#haggling.close("client has sent an option with a wrong magic number");
    }
    if (length > OPTION_LENGTH_MAX) {
      return this.#haggling.close(`client has announced an option of ${length} bytes`);
    }
    if (++this.#optionCount > this.#optionsMax) {
      return this.#haggling.close(`client has sent more than ${this.#optionsMax} options`);
    }
    // Without fixed newstyle the client could not understand any answer to another option.
    if (!this.#fixedNewstyle && option !== Option.ExportName) {
      return this.#haggling.close(`client without fixed newstyle has sent option ${option}`);
    }
    this.#haggling.option = option;
    this.#handler = this.#table.get(option);
    this.#overlong = this.#handler !== undefined && length > this.#handler.dataMax;
    this.#expect = Expect.OptionData;
    if (this.#handler === undefined || this.#overlong) this.#message.skip(length);
    else this.#message.expect(length);
  }

  #takeOption(): void {
    const haggling = this.#haggling;
    const handler = this.#handler;
    if (this.#shuttingDown && haggling.option !== Option.Abort) this.#refuseForShutdown();
    else if (handler === undefined) {
      haggling.fail(Reply.Unsupported, `option ${haggling.option} is not known here`);
    } else if (!this.#overlong) this.#handle(handler);
    else if (handler.handleOverlong !== undefined) handler.handleOverlong(haggling);
    else haggling.fail(Reply.TooBig, `the data of ${handler.name} is too long`);
    if (this.state === "negotiating" && !this.waiting) this.#expectOption();
  }

  #handle(handler: OptionHandler): void {
    const part = this.#deferred ?? this.#message.part;
    this.#deferred = null;
    try {
      handler.handle(this.#haggling, part);
    } catch (error) {
      if (error instanceof NotYet) {
        this.#deferred = part.slice();
        return;
      }
      if (!(error instanceof Elsewhere)) throw error;
      const { option, noZeroes, replies } = this.#haggling;
      const bytes = new ByteWriter(OPTION_HEADER_LENGTH + part.length);
      bytes.halves(OPTION_MAGIC.high, OPTION_MAGIC.low).u32(option).u32(part.length).bytes(part);
      this.#haggling.state = "moved";
      this.#move = {
        place: error.place,
        // The option counts where it is answered.
        progress: {
          fixedNewstyle: this.#fixedNewstyle,
          noZeroes,
          replies,
          optionCount: this.#optionCount - 1,
        },
        bytes: bytes.finish(),
      };
    }
  }

  #refuseForShutdown(): void {
    this.#deferred = null;
    const text = "the server is shutting down";
    if (this.#haggling.option === Option.ExportName) this.#haggling.close(text);
    else this.#haggling.fail(Reply.Shutdown, text);
  }
}
