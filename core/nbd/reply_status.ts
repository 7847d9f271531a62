// SPDX-License-Identifier: MIT
// Answers to BLOCK_STATUS (proto.md "NBD_REPLY_TYPE_BLOCK_STATUS" and its extended form): one chunk
// for each context that was asked for.

import { Errno } from "../block/errno.ts";
import type { Request } from "../block/request.ts";
import { putChunk } from "./chunk.ts";
import { collectExtents, type Extents, EXTENTS_MAX } from "./extents.ts";
import type { Gather } from "./gather.ts";
import { LIE } from "./pieces.ts";
import { frameError } from "./reply_error.ts";
import type { Session } from "./session.ts";
import { CommandFlag, Replies, ReplyFlag, ReplyType } from "./wire.ts";

/** Extents that are written at a time, so that Gather needs no more than HEADER_LENGTH_MAX. */
const BATCH = 64;
const COMPACT_EXTENT = 8;
const EXTENDED_EXTENT = 16;

/** Appends the answer to a block status request that succeeded; as `frameReply`. */
export function frameStatus(request: Request, session: Session, gather: Gather): boolean {
  const extents = collectExtents(request, session.alignmentMask, extentsMax(request, session));
  if (extents === LIE) {
    frameError(request, Errno.EIO, session, gather);
    return false;
  }
  const { metaContexts, replies } = session;
  let chosen = request.contexts;
  for (let index = 0; chosen !== 0; index++, chosen >>>= 1) {
    if ((chosen & 1) === 0) continue;
    const flags = chosen === 1 ? ReplyFlag.Done : 0;
    const { id } = metaContexts[index]!;
    if (replies === Replies.Extended) putExtended(request, flags, id, extents, gather);
    else putCompact(request, flags, id, extents, gather);
  }
  return true;
}

/** Extents that the answer may have: a chunk must not be larger than the maximum payload either. */
function extentsMax(request: Request, session: Session): number {
  if ((request.flags & CommandFlag.ReqOne) !== 0) return 1;
  const width = session.replies === Replies.Extended ? EXTENDED_EXTENT : COMPACT_EXTENT;
  return Math.min(EXTENTS_MAX, Math.floor(session.payloadMaximum / width));
}

function putCompact(
  request: Request,
  flags: number,
  id: number,
  extents: Extents,
  gather: Gather,
): void {
  const length = 4 + extents.count * COMPACT_EXTENT;
  const type = ReplyType.BlockStatus;
  const fixed = putChunk(gather, request, Replies.Structured, flags, type, length, 4);
  gather.headerView.setUint32(fixed, id);
  for (let from = 0; from < extents.count; from += BATCH) {
    const to = Math.min(extents.count, from + BATCH);
    let at = gather.header((to - from) * COMPACT_EXTENT);
    const view = gather.headerView;
    for (let index = from; index < to; index++, at += COMPACT_EXTENT) {
      view.setUint32(at, extents.numbers[index * 3 + 1]!);
      view.setUint32(at + 4, extents.numbers[index * 3 + 2]!);
    }
  }
}

function putExtended(
  request: Request,
  flags: number,
  id: number,
  extents: Extents,
  gather: Gather,
): void {
  const length = 8 + extents.count * EXTENDED_EXTENT;
  const type = ReplyType.BlockStatusExtended;
  const fixed = putChunk(gather, request, Replies.Extended, flags, type, length, 8);
  gather.headerView.setUint32(fixed, id);
  gather.headerView.setUint32(fixed + 4, extents.count);
  for (let from = 0; from < extents.count; from += BATCH) {
    const to = Math.min(extents.count, from + BATCH);
    let at = gather.header((to - from) * EXTENDED_EXTENT);
    const view = gather.headerView;
    for (let index = from; index < to; index++, at += EXTENDED_EXTENT) {
      view.setUint32(at, extents.numbers[index * 3]!);
      view.setUint32(at + 4, extents.numbers[index * 3 + 1]!);
      view.setUint32(at + 8, 0);
      view.setUint32(at + 12, extents.numbers[index * 3 + 2]!);
    }
  }
}
