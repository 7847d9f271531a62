// SPDX-License-Identifier: MIT
// The fixed part of replies (proto.md "Simple reply message", "Structured reply chunk message",
// "Extended reply chunk message").

import type { Request } from "../block/request.ts";
import type { Gather } from "./gather.ts";
import {
  EXTENDED_REPLY_LENGTH,
  EXTENDED_REPLY_MAGIC,
  Replies,
  SIMPLE_REPLY_LENGTH,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_LENGTH,
  STRUCTURED_REPLY_MAGIC,
} from "./wire.ts";

const HIGH = 4294967296;

/** Appends a simple reply; the payload of a read that succeeded follows. */
export function putSimple(gather: Gather, request: Request, error: number): void {
  const at = gather.header(SIMPLE_REPLY_LENGTH);
  const view = gather.headerView;
  view.setUint32(at, SIMPLE_REPLY_MAGIC);
  view.setUint32(at + 4, error);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
}

/**
 * Appends the header of a reply chunk with `length` bytes of payload (below 2^32), the first `fixed`
 * of which the caller writes into `gather.headerView` at the place that is returned.
 */
export function putChunk(
  gather: Gather,
  request: Request,
  replies: Replies,
  flags: number,
  type: number,
  length: number,
  fixed: number,
): number {
  const extended = replies === Replies.Extended;
  const size = extended ? EXTENDED_REPLY_LENGTH : STRUCTURED_REPLY_LENGTH;
  const at = gather.header(size + fixed);
  const view = gather.headerView;
  view.setUint32(at, extended ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, flags);
  view.setUint16(at + 6, type);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  if (extended) {
    view.setUint32(at + 16, request.offsetHigh);
    view.setUint32(at + 20, request.offsetLow);
    view.setUint32(at + 24, 0);
    view.setUint32(at + 28, length);
  } else {
    view.setUint32(at + 16, length);
  }
  return at + size;
}

/** Writes the 64-bit offset that lies `distance` bytes (below 2^32) behind that of the request. */
export function writeOffset(view: DataView, at: number, request: Request, distance: number): void {
  const low = request.offsetLow + distance;
  view.setUint32(at, low < HIGH ? request.offsetHigh : request.offsetHigh + 1);
  view.setUint32(at + 4, low < HIGH ? low : low - HIGH);
}
