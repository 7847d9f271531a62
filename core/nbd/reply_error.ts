// SPDX-License-Identifier: MIT
// Error replies (proto.md "NBD_REPLY_TYPE_ERROR", "NBD_REPLY_TYPE_ERROR_OFFSET").

import type { Request } from "../block/request.ts";
import { putChunk, putSimple, writeOffset } from "./chunk.ts";
import type { Gather } from "./gather.ts";
import type { Session } from "./session.ts";
import { encodeText } from "./text.ts";
import { Replies, ReplyFlag, ReplyType } from "./wire.ts";
import { wireErrno } from "./wire_errno.ts";

/** Errno and length of the message, and then the offset where there is one. */
const ERROR_FIXED = 6;
const OFFSET_LENGTH = 8;
const NOTHING = new Uint8Array(0);

/** Appends the answer to a request that failed as a whole, with `request.errorText`. */
export function frameError(
  request: Request,
  errno: number,
  session: Session,
  gather: Gather,
): void {
  const error = wireErrno(errno, request.command, request.flags);
  const { replies } = session;
  if (replies === Replies.Simple) return putSimple(gather, request, error);
  const text = request.errorText === "" ? NOTHING : encodeText(request.errorText);
  const length = ERROR_FIXED + text.length;
  const type = ReplyType.Error;
  const at = putChunk(gather, request, replies, ReplyFlag.Done, type, length, ERROR_FIXED);
  writeError(gather.headerView, at, error, text);
  if (text.length > 0) gather.bytes(text);
}

/** Appends a chunk that says that the read failed `distance` bytes behind its offset. */
export function putErrorOffset(
  gather: Gather,
  request: Request,
  replies: Replies,
  flags: number,
  errno: number,
  distance: number,
  message: string,
): void {
  const text = message === "" ? NOTHING : encodeText(message);
  const length = ERROR_FIXED + text.length + OFFSET_LENGTH;
  const at = putChunk(gather, request, replies, flags, ReplyType.ErrorOffset, length, ERROR_FIXED);
  writeError(gather.headerView, at, wireErrno(errno, request.command, request.flags), text);
  if (text.length > 0) gather.bytes(text);
  const end = gather.header(OFFSET_LENGTH);
  writeOffset(gather.headerView, end, request, distance);
}

function writeError(view: DataView, at: number, error: number, text: Uint8Array): void {
  view.setUint32(at, error);
  view.setUint16(at + 4, text.length);
}
