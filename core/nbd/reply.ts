// SPDX-License-Identifier: MIT
// Answers to requests as they go on the wire (proto.md "Transmission"). What nearly every request
// is, a read answered by one piece of data or a command without an answer's payload, comes first.

import { Command, Piece, type Request } from "../block/request.ts";
import { putSimple } from "./chunk.ts";
import type { Gather } from "./gather.ts";
import { frameError } from "./reply_error.ts";
import { frameRead, putData, putNone } from "./reply_read.ts";
import { frameStatus } from "./reply_status.ts";
import type { Session } from "./session.ts";
import { Replies, ReplyFlag } from "./wire.ts";

export type { Gather };

/**
 * Appends the answer to `request` to `gather`: failed with `errno` where that is not 0, else made of
 * the pieces of the request. False where the pieces are no valid answer: the client was told EIO,
 * and `request.errorText` says what is wrong with them.
 */
export function frameReply(
  request: Request,
  errno: number,
  session: Session,
  gather: Gather,
): boolean {
  if (errno !== 0) {
    frameError(request, errno, session, gather);
    return true;
  }
  const { replies } = session;
  if (request.command === Command.Read) {
    if (!isOneData(request)) return frameRead(request, session, gather);
    const length = request.lengthLow;
    if (replies === Replies.Simple) putSimple(gather, request, 0);
    else putData(gather, request, replies, ReplyFlag.Done, 0, length);
    gather.memory(request.pieceValue(0), length, request.pieceKind(0) === Piece.StableData);
    return true;
  }
  if (request.command === Command.BlockStatus) return frameStatus(request, session, gather);
  // A simple reply is shorter, and allowed next to structured ones where there is no payload.
  putNone(gather, request, replies === Replies.Extended ? replies : Replies.Simple);
  return true;
}

/** Whether the answer is one piece of data that is all of the request. */
function isOneData(request: Request): boolean {
  return request.pieceCount === 1 && request.tail === 0 &&
    request.pieceKind(0) <= Piece.StableData && request.pieceAt(0) === 0 &&
    request.pieceLength(0) === request.lengthLow && request.lengthLow !== 0;
}
