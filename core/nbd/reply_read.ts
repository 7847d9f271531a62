// SPDX-License-Identifier: MIT
// Answers to READ (proto.md "NBD_CMD_READ"): data and holes in chunks, or all in one.

import { Errno } from "../block/errno.ts";
import { Piece, type Request } from "../block/request.ts";
import { putChunk, putSimple, writeOffset } from "./chunk.ts";
import type { Gather } from "./gather.ts";
import { READ_PIECES_MAX } from "./limits.ts";
import { checkReadPieces, Content, firstError, LIE, Run, runOf } from "./pieces.ts";
import { frameError, putErrorOffset } from "./reply_error.ts";
import type { Session } from "./session.ts";
import { CommandFlag, Replies, ReplyFlag, ReplyType } from "./wire.ts";

/** What comes before the data in an OFFSET_DATA chunk: the offset. */
const DATA_FIXED = 8;
/** An OFFSET_HOLE chunk: offset and 32-bit length. */
const HOLE_FIXED = 12;
const TAIL_TEXT = "read goes past the end of the export";

/** Appends the answer to a read that succeeded; as `frameReply`. */
export function frameRead(request: Request, session: Session, gather: Gather): boolean {
  const { replies } = session;
  // A read of nothing, which has no content that a chunk could carry.
  if (request.lengthLow === 0) {
    putNone(gather, request, replies);
    return true;
  }
  const content = checkReadPieces(request);
  if (content === LIE) {
    frameError(request, Errno.EIO, session, gather);
    return false;
  }
  const failed = firstError(request);
  if (replies === Replies.Simple) frameSimple(request, failed, session, gather);
  else if (content === Content.Fragmented && mustNotFragment(request)) {
    frameUnfragmented(request, failed, replies, gather);
  } else frameChunks(request, failed, replies, gather);
  return true;
}

/** Appends the last chunk of a reply that has nothing (more) to say, or the simple reply. */
export function putNone(gather: Gather, request: Request, replies: Replies): void {
  if (replies === Replies.Simple) putSimple(gather, request, 0);
  else putChunk(gather, request, replies, ReplyFlag.Done, ReplyType.None, 0, 0);
}

/** Appends the header of a chunk with `length` bytes of data from `distance` on. */
export function putData(
  gather: Gather,
  request: Request,
  replies: Replies,
  flags: number,
  distance: number,
  length: number,
): void {
  const type = ReplyType.OffsetData;
  const at = putChunk(gather, request, replies, flags, type, DATA_FIXED + length, DATA_FIXED);
  writeOffset(gather.headerView, at, request, distance);
}

function mustNotFragment(request: Request): boolean {
  return (request.flags & CommandFlag.Df) !== 0 || request.pieceCount > READ_PIECES_MAX;
}

/** A simple reply has room for an error or for data: one bad piece fails the request. */
function frameSimple(request: Request, failed: number, session: Session, gather: Gather): void {
  if (failed >= 0) return frameError(request, request.pieceValue(failed), session, gather);
  putSimple(gather, request, 0);
  putContent(request, 0, request.pieceCount, gather);
}

/** One chunk, padded where pieces failed; of the errors inside it only the first says anything. */
function frameUnfragmented(
  request: Request,
  failed: number,
  replies: Replies,
  gather: Gather,
): void {
  const tail = request.tail > 0;
  const flags = failed < 0 && !tail ? ReplyFlag.Done : 0;
  putData(gather, request, replies, flags, 0, request.lengthLow);
  putContent(request, 0, request.pieceCount, gather);
  if (failed >= 0) putPieceError(request, failed, replies, tail ? 0 : ReplyFlag.Done, true, gather);
  if (tail) putTail(request, replies, gather);
}

/** A chunk for each run of data, for each run of zeroes and for each piece that failed. */
function frameChunks(request: Request, failed: number, replies: Replies, gather: Gather): void {
  const count = request.pieceCount;
  const tail = request.tail > 0;
  for (let from = 0, to = 1; from < count; from = to++) {
    const run = runOf(request, from);
    if (run !== Run.Error) { while (to < count && runOf(request, to) === run) to++; }
    const flags = to === count && !tail ? ReplyFlag.Done : 0;
    const at = request.pieceAt(from);
    const length = request.pieceAt(to - 1) + request.pieceLength(to - 1) - at;
    if (run === Run.Data) {
      putData(gather, request, replies, flags, at, length);
      putContent(request, from, to, gather);
    } else if (run === Run.Zero) {
      putHole(gather, request, replies, flags, at, length);
    } else {
      // The text is long compared to the rest and the same for all: once is enough.
      putPieceError(request, from, replies, flags, from === failed, gather);
    }
  }
  if (tail) putTail(request, replies, gather);
}

function putHole(
  gather: Gather,
  request: Request,
  replies: Replies,
  flags: number,
  distance: number,
  length: number,
): void {
  const type = ReplyType.OffsetHole;
  const at = putChunk(gather, request, replies, flags, type, HOLE_FIXED, HOLE_FIXED);
  const view = gather.headerView;
  writeOffset(view, at, request, distance);
  view.setUint32(at + 8, length);
}

function putPieceError(
  request: Request,
  index: number,
  replies: Replies,
  flags: number,
  withText: boolean,
  gather: Gather,
): void {
  const errno = request.pieceValue(index);
  const text = withText ? request.errorText : "";
  putErrorOffset(gather, request, replies, flags, errno, request.pieceAt(index), text);
}

function putTail(request: Request, replies: Replies, gather: Gather): void {
  const { lengthLow } = request;
  putErrorOffset(gather, request, replies, ReplyFlag.Done, Errno.EINVAL, lengthLow, TAIL_TEXT);
}

/** Appends the bytes of pieces `from` to `to` - 1, zeroes for those that failed. */
function putContent(request: Request, from: number, to: number, gather: Gather): void {
  for (let index = from; index < to; index++) {
    const kind = request.pieceKind(index);
    const length = request.pieceLength(index);
    if (kind === Piece.Data || kind === Piece.StableData) {
      gather.memory(request.pieceValue(index), length, kind === Piece.StableData);
    } else gather.zeroes(length);
  }
}
