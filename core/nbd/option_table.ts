// SPDX-License-Identifier: MIT
// What handles an option of the handshake. The handlers of NBD are collected in options.ts; an
// embedding program makes a table of its own by copying that one and adding to it or replacing in it.

import type { OpenExport } from "../block/device.ts";
import type { ExportDirectory } from "./directory.ts";
import type { MetaContext } from "./session.ts";
import { type Replies, Reply } from "./wire.ts";

/** An export that the handshake has open. */
export interface OpenedExport {
  /** As the server calls it. */
  name: string;
  export: OpenExport;
}

/** Contexts that SET_META_CONTEXT has selected. */
export interface ContextSelection {
  /** The export that they are selected for, as the server calls it. */
  exportName: string;
  contexts: MetaContext[];
}

/** The state of a handshake, as handlers of options see and change it. */
export interface Haggle {
  readonly directory: ExportDirectory;
  /** Who the client is, in words. */
  readonly peer: string;
  /** Whether the client wants no padding after the answer to EXPORT_NAME. */
  readonly noZeroes: boolean;
  /** How replies will be framed. */
  replies: Replies;
  /** Null where nothing is selected. */
  selection: ContextSelection | null;
  /** Appends a reply to the option at hand. */
  reply(type: number, data?: Uint8Array): void;
  /** Appends an error reply with a text for people. */
  fail(type: number, text: string): void;
  /** Appends bytes that are no option reply: the answer to EXPORT_NAME. */
  send(data: Uint8Array): void;
  /**
   * The export by that name, opened at most once in a row: asking again for the same name gives the
   * same export, asking for another closes it. The empty name means the default export. Throws
   * BlockError.
   */
  open(name: string): OpenedExport;
  /** Ends the handshake: transmission follows, on the export that was opened last. */
  enterTransmission(): void;
  /** Ends the connection once all that was appended is sent. */
  close(reason: string): void;
}

/** How one option is handled. Handlers keep no state of their own: it is all in the Haggle. */
export interface OptionHandler {
  /** For messages: `INFO`. */
  readonly name: string;
  /** Longest data it can use in bytes. Longer data is skipped and never held. */
  readonly dataMax: number;
  /** Answers an option with all of its data. `data` is valid during the call only. */
  handle(haggle: Haggle, data: Uint8Array): void;
  /** Answers an option whose data was longer than `dataMax`. Unless given: TooBig. */
  handleOverlong?(haggle: Haggle): void;
}

/** From option number to handler. An option that is not in it is answered with Unsupported. */
export type OptionTable = ReadonlyMap<number, OptionHandler>;

/** The contexts that are selected for `opened`. */
export function selectedContexts(haggle: Haggle, opened: OpenedExport): MetaContext[] {
  const { selection } = haggle;
  return selection?.exportName === opened.name ? selection.contexts : [];
}

/** Makes a handler for an option that has no data, refusing data as the protocol wants it. */
export function withoutData(name: string, handle: (haggle: Haggle) => void): OptionHandler {
  return {
    name,
    dataMax: 0,
    handle,
    handleOverlong: (haggle) => haggle.fail(Reply.Invalid, `${name} takes no data`),
  };
}
