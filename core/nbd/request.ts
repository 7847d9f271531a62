// SPDX-License-Identifier: MIT
// Requests as they come off the wire (proto.md "Request message", with its extended form).

import { Command, type Request } from "../block/request.ts";
import { PAYLOAD_MAX, PAYLOAD_SKIP_MAX } from "./limits.ts";
import {
  CommandFlag,
  EXTENDED_REQUEST_LENGTH,
  EXTENDED_REQUEST_MAGIC,
  Replies,
  REQUEST_LENGTH,
  REQUEST_MAGIC,
} from "./wire.ts";

/** What `payloadLength` returns for a payload that is too large to be skipped in step. */
export const PAYLOAD_TOO_LARGE = -1;

/** Bytes of the header of a request: 28, or 32 with extended headers. */
export function requestHeaderLength(replies: Replies): number {
  return replies === Replies.Extended ? EXTENDED_REQUEST_LENGTH : REQUEST_LENGTH;
}

/**
 * Reads the header at `at` into `request` and forgets the former answer. False where the magic
 * number is wrong: the stream is out of step and the connection must be closed.
 */
export function decodeRequest(
  view: DataView,
  at: number,
  replies: Replies,
  request: Request,
): boolean {
  request.pieceCount = 0;
  request.errorText = "";
  request.tail = 0;
  request.flags = view.getUint16(at + 4);
  request.command = view.getUint16(at + 6);
  request.cookieHigh = view.getUint32(at + 8);
  request.cookieLow = view.getUint32(at + 12);
  request.offsetHigh = view.getUint32(at + 16);
  request.offsetLow = view.getUint32(at + 20);
  if (replies !== Replies.Extended) {
    request.lengthHigh = 0;
    request.lengthLow = view.getUint32(at + 24);
    return view.getUint32(at) === REQUEST_MAGIC;
  }
  request.lengthHigh = view.getUint32(at + 24);
  request.lengthLow = view.getUint32(at + 28);
  return view.getUint32(at) === EXTENDED_REQUEST_MAGIC;
}

/**
 * Bytes that follow the header of a request that was just decoded and not yet validated, whether it
 * is valid or not; PAYLOAD_TOO_LARGE where the connection must be closed instead. An extended WRITE
 * has to say PAYLOAD_LEN, but qemu (8.2 to 10.0 at least) leaves it out and sends the data all the
 * same: a write is followed by what it writes, whatever its flags.
 */
export function payloadLength(request: Request, replies: Replies): number {
  let longest = PAYLOAD_SKIP_MAX;
  if (replies === Replies.Extended) {
    const announced = (request.flags & CommandFlag.PayloadLength) !== 0;
    if (!announced && request.command !== Command.Write) return 0;
    longest = PAYLOAD_MAX;
  } else if (request.command !== Command.Write) {
    return 0;
  }
  if (request.lengthHigh !== 0 || request.lengthLow > longest) return PAYLOAD_TOO_LARGE;
  return request.lengthLow;
}
