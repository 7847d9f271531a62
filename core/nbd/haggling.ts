// SPDX-License-Identifier: MIT
// The state that the options of one handshake share, and the output they produce. Option handlers
// see it as `Haggle`; Negotiation drives it.

import { BlockError, Errno } from "../block/errno.ts";
import { ByteWriter } from "./bytes.ts";
import type { ExportDirectory } from "./directory.ts";
import {
  type ContextSelection,
  type Haggle,
  type OpenedExport,
  selectedContexts,
} from "./option_table.ts";
import { createSession, type Session } from "./session.ts";
import { encodeText } from "./text.ts";
import { OPTION_REPLY_MAGIC, Replies } from "./wire.ts";

const NOTHING = new Uint8Array(0);

/** "moved": it goes on at another place. */
export type NegotiationState = "negotiating" | "transmission" | "closed" | "moved";

/** See the top of this file. */
export class Haggling implements Haggle {
  readonly directory: ExportDirectory;
  readonly peer: string;
  noZeroes = false;
  replies: Replies = Replies.Simple;
  selection: ContextSelection | null = null;

  state: NegotiationState = "negotiating";
  session: Session | null = null;
  closeReason = "";
  /** The option at hand. */
  option = 0;

  #output: ByteWriter | null = null;
  #opened: OpenedExport | null = null;

  constructor(directory: ExportDirectory, peer: string) {
    this.directory = directory;
    this.peer = peer;
  }

  /** Bytes that wait to be taken. */
  get outputLength(): number {
    return this.#output?.length ?? 0;
  }

  reply(type: number, data: Uint8Array = NOTHING): void {
    const output = this.#output ??= new ByteWriter();
    output.halves(OPTION_REPLY_MAGIC.high, OPTION_REPLY_MAGIC.low);
    output.u32(this.option).u32(type).u32(data.length).bytes(data);
  }

  fail(type: number, text: string): void {
    this.reply(type, encodeText(text));
  }

  send(data: Uint8Array): void {
    const output = this.#output ??= new ByteWriter();
    output.bytes(data);
  }

  open(name: string): OpenedExport {
    const resolved = name === "" ? this.directory.defaultExport() : name;
    if (resolved === null) {
      throw new BlockError(Errno.ENOENT, "cannot open the default export: there is none");
    }
    if (this.#opened?.name === resolved) return this.#opened;
    this.#closeExport();
    this.#opened = { name: resolved, export: this.directory.open(resolved, true) };
    return this.#opened;
  }

  enterTransmission(): void {
    const opened = this.#opened;
    if (opened === null) throw new Error("No export is open");
    this.session = createSession({
      export: opened.export,
      exportName: opened.name,
      replies: this.replies,
      metaContexts: selectedContexts(this, opened),
    });
    // The session owns the export from here on.
    this.#opened = null;
    this.state = "transmission";
  }

  close(reason: string): void {
    if (this.state !== "negotiating") return;
    this.#closeExport();
    this.state = "closed";
    this.closeReason = reason;
  }

  takeOutput(): Uint8Array {
    const output = this.#output;
    this.#output = null;
    return output?.finish() ?? NOTHING;
  }

  #closeExport(): void {
    const opened = this.#opened;
    this.#opened = null;
    opened?.export.close();
  }
}
