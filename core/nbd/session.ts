// SPDX-License-Identifier: MIT
// What a client and the server have agreed on when the handshake is over, in the form in which the
// transmission phase looks at it for each request.

import type { OpenExport } from "../block/device.ts";
import { payloadMaximum } from "./block_size.ts";
import { transmissionFlags } from "./flags.ts";
import { type Replies, TransmissionFlag } from "./wire.ts";
import { permittedFlags } from "./permitted.ts";

/** A metadata context that the client has selected. */
export interface MetaContext {
  /** How replies call it, unique within the session. */
  id: number;
  name: string;
}

/** What negotiation agreed on. */
export interface SessionTerms {
  export: OpenExport;
  /** As the server calls it, which is not empty even if the client asked for the default export. */
  exportName: string;
  replies: Replies;
  metaContexts: MetaContext[];
  /**
   * Transmission flags where they were agreed on elsewhere; they can only take away from what the
   * export offers. Unless given, all that it offers.
   */
  flags?: number;
}

/** See the top of this file. Fixed once made; the size, which is not, is in `export.info`. */
export interface Session extends Readonly<SessionTerms> {
  /** Transmission flags as the client was told. */
  readonly flags: number;
  /** Minimum block size - 1. */
  readonly alignmentMask: number;
  /** Largest payload in bytes of a read or write that is served. */
  readonly payloadMaximum: number;
  /** Per command: the flags that a request may carry, -1 where the command is not offered. */
  readonly permittedFlags: Int32Array;
}

/** Makes the session for what was agreed on. */
export function createSession(terms: SessionTerms): Session {
  const info = terms.export.info;
  const contexts = terms.metaContexts.length > 0;
  const flags = restrict(transmissionFlags(info, terms.replies, contexts), terms.flags);
  return {
    export: terms.export,
    exportName: terms.exportName,
    replies: terms.replies,
    metaContexts: terms.metaContexts,
    flags,
    alignmentMask: info.blockSize.minimum - 1,
    payloadMaximum: payloadMaximum(info),
    permittedFlags: permittedFlags(flags, contexts, terms.replies),
  };
}

/** Offered flags that were agreed on; READ_ONLY is a restriction and holds if either says so. */
function restrict(offered: number, agreed: number | undefined): number {
  if (agreed === undefined) return offered;
  const readOnly = (offered | agreed) & TransmissionFlag.ReadOnly;
  return (offered & agreed) | readOnly | TransmissionFlag.HasFlags;
}
