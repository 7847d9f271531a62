// SPDX-License-Identifier: MIT
// The client's side of the handshake (proto.md "Fixed newstyle negotiation"). Pure: bytes in, bytes
// out. Asks for the best framing of replies first, then for contexts, then for the export, and
// falls back where the server does not know an option.

import { ByteQueue, ByteReader } from "./bytes.ts";
import {
  encodeClientFlags,
  encodeContextData,
  encodeInfoData,
  encodeOption,
  type OptionReply,
  takeGreeting,
  takeOptionReply,
} from "./client_options.ts";
import { ProtocolError } from "./protocol_error.ts";
import type { MetaContext } from "./session.ts";
import {
  ClientFlag,
  EXPORT_NAME_PADDING,
  HandshakeFlag,
  Info,
  Option,
  Replies,
  Reply,
} from "./wire.ts";

const decoder = new TextDecoder();
const ERROR_BIT = 0x80000000;

/** What a client wants. */
export interface ClientWishes {
  exportName: string;
  /** Best framing of replies to ask for; Extended unless given. */
  replies?: Replies;
  /** Metadata contexts to select; needs more than simple replies. */
  contexts?: string[];
  /** How it ends: in transmission, with information only, or with the list of exports. */
  goal?: "go" | "info" | "list";
}

/** What the client has learnt and agreed on. */
export interface Agreement {
  size: bigint;
  /** Transmission flags. */
  flags: number;
  replies: Replies;
  contexts: MetaContext[];
  /** Null where the server did not say. */
  name: string | null;
  description: string | null;
  blockSize: { minimum: number; preferred: number; maximum: number } | null;
  /** With goal "list": names and descriptions. */
  exports: { name: string; description: string }[];
}

type Step = "greeting" | "extended" | "structured" | "contexts" | "final" | "exportName" | "abort";

/** See the top of this file. */
export class ClientNegotiation {
  readonly agreement: Agreement = {
    size: 0n,
    flags: 0,
    replies: Replies.Simple,
    contexts: [],
    name: null,
    description: null,
    blockSize: null,
    exports: [],
  };
  /** "done": with goal "go" in transmission, else the connection is to be closed. */
  state: "negotiating" | "done" | "failed" = "negotiating";
  /** Why it failed, in the words of the server where it has some. */
  failure = "";
  readonly #wishes: Required<ClientWishes>;
  readonly #queue = new ByteQueue();
  #output: Uint8Array[] = [];
  #step: Step = "greeting";
  #padded = true;

  constructor(wishes: ClientWishes) {
    this.#wishes = { replies: Replies.Extended, contexts: [], goal: "go", ...wishes };
  }

  /** Takes bytes of the server; throws ProtocolError where it breaks the protocol. */
  receive(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    while (this.state === "negotiating" && this.#advance());
  }

  /** Messages to send now, possibly none; they are not given again. */
  takeOutput(): Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  /** What came after the end of the handshake: it belongs to transmission. */
  takeRest(): Uint8Array {
    return this.#queue.take(this.#queue.length);
  }

  #advance(): boolean {
    if (this.#step === "greeting") return this.#takeGreeting();
    if (this.#step === "exportName") return this.#takeExportNameAnswer();
    const reply = takeOptionReply(this.#queue);
    if (reply === null) return false;
    this.#takeReply(reply);
    return true;
  }

  #takeGreeting(): boolean {
    const flags = takeGreeting(this.#queue);
    if (flags === null) return false;
    if ((flags & HandshakeFlag.FixedNewstyle) === 0) {
      throw new ProtocolError("cannot use server: it does not speak fixed newstyle");
    }
    this.#padded = (flags & HandshakeFlag.NoZeroes) === 0;
    const answer = ClientFlag.FixedNewstyle | (this.#padded ? 0 : ClientFlag.NoZeroes);
    this.#output.push(encodeClientFlags(answer));
    if (this.#wishes.goal === "list") this.#ask("final", Option.List);
    else if (this.#wishes.replies === Replies.Extended) {
      this.#ask("extended", Option.ExtendedHeaders);
    } else this.#afterExtended();
    return true;
  }

  #ask(step: Step, option: number, data?: Uint8Array): void {
    this.#step = step;
    this.#output.push(encodeOption(option, data));
  }

  #afterExtended(): void {
    const { replies } = this.#wishes;
    if (this.agreement.replies === Replies.Simple && replies !== Replies.Simple) {
      this.#ask("structured", Option.StructuredReply);
    } else this.#afterReplies();
  }

  #afterReplies(): void {
    const { contexts, exportName } = this.#wishes;
    if (this.agreement.replies !== Replies.Simple && contexts.length > 0) {
      this.#ask("contexts", Option.SetMetaContext, encodeContextData(exportName, contexts));
    } else this.#askFinal();
  }

  #askFinal(): void {
    const wanted = [Info.Name, Info.Description, Info.BlockSize];
    const option = this.#wishes.goal === "info" ? Option.Info : Option.Go;
    this.#ask("final", option, encodeInfoData(this.#wishes.exportName, wanted));
  }

  #takeReply({ type, data }: OptionReply): void {
    const failed = type >= ERROR_BIT;
    switch (this.#step) {
      case "extended":
        if (!failed) this.agreement.replies = Replies.Extended;
        return this.#afterExtended();
      case "structured":
        if (!failed) this.agreement.replies = Replies.Structured;
        return this.#afterReplies();
      case "contexts":
        if (type === Reply.MetaContext) return this.#addContext(data);
        if (failed) this.agreement.contexts = [];
        return this.#askFinal();
      case "abort":
        this.state = this.failure === "" ? "done" : "failed";
        return;
      default:
        return failed ? this.#takeRefusal(type, data) : this.#takeFinal(type, data);
    }
  }

  #takeFinal(type: number, data: Uint8Array): void {
    if (type === Reply.Info) return this.#takeInfo(new ByteReader(data));
    if (type === Reply.Server) return this.#addExport(new ByteReader(data));
    if (type !== Reply.Ack) throw new ProtocolError(`cannot use reply to option: type ${type}`);
    if (this.#wishes.goal === "go") this.state = "done";
    else this.#ask("abort", Option.Abort);
  }

  #takeRefusal(type: number, data: Uint8Array): void {
    const canFallBack = this.#wishes.goal === "go" && this.agreement.replies !== Replies.Extended;
    if (type === Reply.Unsupported && canFallBack) {
      const name = new TextEncoder().encode(this.#wishes.exportName);
      return this.#ask("exportName", Option.ExportName, name);
    }
    this.failure = decoder.decode(data) || `server answers with error ${type - ERROR_BIT}`;
    this.#ask("abort", Option.Abort);
  }

  #takeExportNameAnswer(): boolean {
    const length = 10 + (this.#padded ? EXPORT_NAME_PADDING : 0);
    const reader = this.#queue.peek(length);
    if (reader === null) return false;
    this.agreement.size = reader.u64();
    this.agreement.flags = reader.u16();
    this.#queue.skip(length);
    this.state = "done";
    return true;
  }

  #takeInfo(reader: ByteReader): void {
    const { agreement } = this;
    switch (reader.u16()) {
      case Info.Export:
        agreement.size = reader.u64();
        agreement.flags = reader.u16();
        break;
      case Info.Name:
        agreement.name = decoder.decode(reader.bytes(reader.left));
        break;
      case Info.Description:
        agreement.description = decoder.decode(reader.bytes(reader.left));
        break;
      case Info.BlockSize: {
        const [minimum, preferred, maximum] = [reader.u32(), reader.u32(), reader.u32()];
        agreement.blockSize = { minimum, preferred, maximum };
        break;
      }
      default:
        reader.bytes(reader.left);
    }
    if (reader.failed || reader.left > 0) throw new ProtocolError("cannot read INFO reply");
  }

  #addContext(data: Uint8Array): void {
    const reader = new ByteReader(data);
    const id = reader.u32();
    this.agreement.contexts.push({ id, name: decoder.decode(reader.bytes(reader.left)) });
  }

  #addExport(reader: ByteReader): void {
    const name = decoder.decode(reader.bytes(reader.u32()));
    if (reader.failed) throw new ProtocolError("cannot read SERVER reply");
    const description = decoder.decode(reader.bytes(reader.left));
    this.agreement.exports.push({ name, description });
  }
}
