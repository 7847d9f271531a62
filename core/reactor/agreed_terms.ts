// SPDX-License-Identifier: MIT
// The session of a client whose handshake took place elsewhere: checks what it was told.

import { BlockError, Errno } from "../block/errno.ts";
import { toBigInt } from "../block/uint64.ts";
import type { TransmissionOptions } from "../control/options.ts";
import type { ExportDirectory } from "../nbd/directory.ts";
import { transmissionFlags } from "../nbd/flags.ts";
import type { SessionTerms } from "../nbd/session.ts";
import { Replies, TransmissionFlag } from "../nbd/wire.ts";

const replyKinds = {
  simple: Replies.Simple,
  structured: Replies.Structured,
  extended: Replies.Extended,
} as const;

/** Opens the export that was agreed on. Throws BlockError where it is not what the client expects. */
export function agreedTerms(directory: ExportDirectory, agreed: TransmissionOptions): SessionTerms {
  const opened = directory.open(agreed.exportName);
  const replies = replyKinds[agreed.replies];
  const { info } = opened;
  const size = toBigInt(info.sizeHigh, info.sizeLow);
  // Promising less than the export can do is no lie, and READ_ONLY promises less.
  const offered = transmissionFlags(info, replies, false) | TransmissionFlag.ReadOnly;
  const surplus = agreed.flags & ~offered;
  if (size === agreed.size && surplus === 0) {
    const { flags } = agreed;
    return { export: opened, exportName: info.name, replies, metaContexts: [], flags };
  }
  opened.close();
  throw new BlockError(
    Errno.EINVAL,
    surplus !== 0
      ? `cannot promise transmission flags 0x${surplus.toString(16)}: the export does not have them`
      : `cannot promise ${agreed.size} bytes: the export has ${size}`,
  );
}
