// SPDX-License-Identifier: MIT
// Answers to requests as they go on the wire (proto.md "Simple reply message", "Structured reply
// chunk message", "Extended reply chunk message").

import type { Request } from "../block/request.ts";
import type { Gather } from "./gather.ts";
import type { Session } from "./session.ts";

export type { Gather };

/**
 * Appends the answer to `request` to `gather`: failed with `errno` where that is not 0, else made of
 * the pieces of the request. False where the pieces are no valid answer: the client was told EIO,
 * and `request.errorText` says what is wrong with them.
 */
export function frameReply(
  _request: Request,
  _errno: number,
  _session: Session,
  _gather: Gather,
): boolean {
  throw new Error("to come");
}
