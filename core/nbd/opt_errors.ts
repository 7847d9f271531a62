// SPDX-License-Identifier: MIT
// How the failure of a device to list or open exports is told to a client that haggles.

import { type BlockError, Errno } from "../block/errno.ts";
import type { Haggle } from "./option_table.ts";
import { Reply } from "./wire.ts";

/** Answers the option at hand with the error reply that fits `error`. */
export function failBlockError(haggle: Haggle, error: BlockError): void {
  haggle.fail(replyFor(error.errno), error.message);
}

function replyFor(errno: number): number {
  switch (errno) {
    case Errno.EPERM:
    case Errno.EACCES:
      return Reply.Policy;
    case Errno.ESHUTDOWN:
      return Reply.Shutdown;
    default:
      // "The requested export is not available", whatever the reason: the text says more.
      return Reply.Unknown;
  }
}
