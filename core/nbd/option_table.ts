// SPDX-License-Identifier: MIT
// What handles an option of the handshake: a table from option numbers to handlers. An embedding
// program makes its own by copying OPTION_TABLE and adding to it or replacing in it.

import type { MetaContext } from "./session.ts";
import type { ExportDirectory } from "./directory.ts";
import type { OpenExport } from "../block/device.ts";
import type { Replies } from "./wire.ts";

/** An export that the handshake has open. */
export interface OpenedExport {
  /** As the server calls it. */
  name: string;
  export: OpenExport;
}

/** The state of a handshake, as handlers of options see and change it. */
export interface Haggle {
  readonly directory: ExportDirectory;
  readonly peer: string;
  /** Client flag NoZeroes. */
  readonly noZeroes: boolean;
  /** How replies will be framed; a handler may raise it. */
  replies: Replies;
  /** Contexts that SET_META_CONTEXT has selected, and the export they are selected for. */
  metaContexts: MetaContext[];
  metaContextExport: string;
  /** Appends a reply to the option at hand. */
  reply(type: number, data?: Uint8Array): void;
  /** Appends an error reply with a text for people. */
  fail(type: number, text: string): void;
  /** Appends bytes that are no option reply (the answer to EXPORT_NAME). */
  send(data: Uint8Array): void;
  /**
   * The export by that name, opened at most once in a row: asking again for the same name gives the
   * same export, asking for another closes it. Throws BlockError.
   */
  open(name: string): OpenedExport;
  /** Ends the handshake: transmission follows, on that export. */
  enterTransmission(opened: OpenedExport): void;
  /** Ends the connection after what was appended is sent. */
  close(reason: string): void;
}

/** How one option is handled. */
export interface OptionHandler {
  /** For messages: `INFO`. */
  readonly name: string;
  /** Longest data it can use. Longer data is skipped, not held, and answered with TooBig. */
  readonly dataMax: number;
  /** Answers one option with all of its data. `data` is only valid during the call. */
  handle(haggle: Haggle, data: Uint8Array): void;
}

/** From option number to handler. An option that is not in it is answered with Unsupported. */
export type OptionTable = ReadonlyMap<number, OptionHandler>;
