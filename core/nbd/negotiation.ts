// SPDX-License-Identifier: MIT
// The server's side of the handshake (proto.md "Fixed newstyle negotiation"). Pure: bytes in, bytes
// out. What each option does is in the table of handlers.

import type { ExportDirectory } from "./directory.ts";
import type { OptionTable } from "./option_table.ts";
import type { Session } from "./session.ts";

export type { ExportDirectory };

/** Bounds of a handshake that a server can set; the fixed ones are in limits.ts. */
export interface NegotiationLimits {
  /** Options that a client may send; one more closes the connection. */
  optionsMax: number;
}

export interface NegotiationOptions {
  directory: ExportDirectory;
  limits: NegotiationLimits;
  /** Handlers of options; the whole of NBD unless given. */
  options?: OptionTable;
  /** Who the client is, in words. */
  peer: string;
}

export type NegotiationState = "negotiating" | "transmission" | "closed";

/** See the top of this file. */
export class Negotiation {
  /** "closed": send what `takeOutput` gives, then close the connection. */
  readonly state: NegotiationState = "negotiating";
  /** What was agreed on, in state "transmission". It owns the export from then on. */
  readonly session: Session | null = null;
  /** Why it is closed. */
  readonly closeReason: string = "";

  constructor(_options: NegotiationOptions) {
    throw new Error("to come");
  }

  /** What the server sends first, once, before anything that `takeOutput` gives. */
  greeting(): Uint8Array {
    throw new Error("to come");
  }

  /**
   * Takes bytes that the client has sent and returns how many were consumed. Fewer than given: the
   * handshake is over and the rest belongs to transmission; or, in state "negotiating", much output
   * is waiting: send it, then call again with the rest.
   */
  receive(_bytes: Uint8Array): number {
    throw new Error("to come");
  }

  /** Bytes to send now, possibly none; they are not given again. */
  takeOutput(): Uint8Array {
    throw new Error("to come");
  }

  /** From now on each option is answered with Shutdown. */
  shutdown(): void {
    throw new Error("to come");
  }

  /** The connection is gone: closes the export that may be open. Harmless after the handshake. */
  abandon(): void {
    throw new Error("to come");
  }
}
