// SPDX-License-Identifier: MIT
// The one check of a request before anything acts on it, in a fixed order, choosing the errno:
// command, flags, length, alignment, range. The same as a table is in docs/protocol.md.

import { Errno } from "../block/errno.ts";
import { Support } from "../block/export.ts";
import { Command, type Request } from "../block/request.ts";
import { within } from "../block/uint64.ts";
import { describeCommand } from "./describe.ts";
import { NOT_OFFERED } from "./permitted.ts";
import type { Session } from "./session.ts";
import { CommandFlag, Replies, TransmissionFlag } from "./wire.ts";

/**
 * What `validateRequest` returns besides 0 (submit it) and a positive errno (refuse it): the
 * request is valid and its answer is known, so `frameReply(request, 0, ...)` without submitting it.
 */
export const ANSWERED = -1;

/** Bytes before the context ids in the payload of a block status request: the effect length. */
const STATUS_PAYLOAD_FIXED = 8;
const HIGH = 4294967296;

/** Per command: the flags that mean something to whoever carries it out or frames the answer. */
const MEANINGFUL_FLAGS = new Int32Array(8);
MEANINGFUL_FLAGS[Command.Read] = CommandFlag.Df;
MEANINGFUL_FLAGS[Command.Write] = CommandFlag.Fua;
MEANINGFUL_FLAGS[Command.Trim] = CommandFlag.Fua;
MEANINGFUL_FLAGS[Command.WriteZeroes] = CommandFlag.Fua | CommandFlag.NoHole | CommandFlag.FastZero;
MEANINGFUL_FLAGS[Command.BlockStatus] = CommandFlag.ReqOne;

/**
 * Checks a request that was decoded and whose payload, if any, need not have arrived. Returns 0,
 * ANSWERED or a positive errno, with `request.errorText` set. Call `payloadLength` before: flags
 * that mean nothing to a device are taken away here, and a read across the end of the export is
 * shortened and the rest noted in `request.tail`.
 */
export function validateRequest(request: Request, session: Session): number {
  const { command, flags } = request;
  if (command > Command.BlockStatus) {
    return refuse(request, Errno.EINVAL, `unknown command ${command}`);
  }
  const permitted = session.permittedFlags[command]!;
  if (permitted === NOT_OFFERED) return refuseCommand(request, session);
  if (flags !== 0) {
    if ((flags & ~permitted) !== 0) return refuseFlags(request, flags & ~permitted);
    request.flags = flags & MEANINGFUL_FLAGS[command]!;
  }
  switch (command) {
    case Command.Read:
      if (request.lengthHigh !== 0 || request.lengthLow > session.payloadMaximum) {
        return refuse(request, Errno.EOVERFLOW, "READ of more than the maximum payload");
      }
      return checkRange(request, session);
    case Command.Write:
      return checkWrite(request, session);
    case Command.BlockStatus:
      if ((flags & CommandFlag.PayloadLength) !== 0) return checkStatusPayload(request, session);
      return checkStatus(request, session);
    case Command.Flush:
    case Command.Disconnect:
      // Offset and length are reserved. Whatever they may come to mean, a flush of everything
      // covers it. They stay as they are: an extended reply repeats the offset.
      return 0;
    default:
      return checkRange(request, session);
  }
}

/**
 * Second half of the check of a block status request with a payload (`payloadLength` > 0 and
 * `validateRequest` returned 0): takes effect length and selected contexts from the payload of
 * `length` bytes at `at`. Returns as `validateRequest` does.
 */
export function applyStatusPayload(
  view: DataView,
  at: number,
  length: number,
  request: Request,
  session: Session,
): number {
  request.lengthHigh = view.getUint32(at);
  request.lengthLow = view.getUint32(at + 4);
  let chosen = 0;
  for (let from = at + STATUS_PAYLOAD_FIXED; from < at + length; from += 4) {
    const bit = contextBit(session, view.getUint32(from));
    if (bit === 0) return refuse(request, Errno.EINVAL, "BLOCK_STATUS of an unknown context");
    if ((chosen & bit) !== 0) {
      return refuse(request, Errno.EINVAL, "BLOCK_STATUS of one context twice");
    }
    chosen |= bit;
  }
  const verdict = checkStatus(request, session);
  request.contexts = chosen;
  return verdict;
}

function contextBit(session: Session, id: number): number {
  const index = session.metaContexts.findIndex((context) => context.id === id);
  return index < 0 ? 0 : 1 << index;
}

function checkWrite(request: Request, session: Session): number {
  if (request.lengthHigh !== 0 || request.lengthLow > session.payloadMaximum) {
    return refuse(request, Errno.EINVAL, "WRITE of more than the maximum payload");
  }
  return checkRange(request, session);
}

/** The form of a payload that has not come yet: an effect length and some of the context ids. */
function checkStatusPayload(request: Request, session: Session): number {
  const ids = (request.lengthLow - STATUS_PAYLOAD_FIXED) / 4;
  if (Number.isInteger(ids) && ids >= 1 && ids <= session.metaContexts.length) return 0;
  return refuse(request, Errno.EINVAL, "BLOCK_STATUS with a payload that cannot be right");
}

function checkStatus(request: Request, session: Session): number {
  if ((request.lengthHigh | request.lengthLow) === 0) {
    return refuse(request, Errno.EINVAL, "BLOCK_STATUS of nothing");
  }
  request.contexts = 2 ** session.metaContexts.length - 1;
  const verdict = checkRange(request, session);
  if (verdict !== 0 || session.export.info.can.extents !== Support.None) return verdict;
  request.extent(request.lengthHigh, request.lengthLow, 0);
  return ANSWERED;
}

/** Alignment and range, for all commands that have an offset and a length. */
function checkRange(request: Request, session: Session): number {
  const { offsetHigh, offsetLow, lengthHigh, lengthLow } = request;
  if (((offsetLow | lengthLow) & session.alignmentMask) !== 0) {
    return refuse(request, Errno.EINVAL, "request is not aligned to the minimum block size");
  }
  // As it is now: a plugin may have changed it since the client was told.
  const { sizeHigh, sizeLow } = session.export.info;
  if (!within(offsetHigh, offsetLow, lengthHigh, lengthLow, sizeHigh, sizeLow)) {
    return shortenRead(request, session) ? 0 : refusePastEnd(request);
  }
  return (lengthHigh | lengthLow) === 0 ? ANSWERED : 0;
}

/**
 * Cuts a read that begins inside the export and ends past it to what is there, if the client can be
 * told about the rest by itself. The part that is left is aligned like the request.
 */
function shortenRead(request: Request, session: Session): boolean {
  if (request.command !== Command.Read || session.replies === Replies.Simple) return false;
  // There is something before the end, and it is shorter than the request: so it fits 32 bits.
  const { offsetHigh, offsetLow } = request;
  const { sizeHigh, sizeLow } = session.export.info;
  if (!within(offsetHigh, offsetLow, 0, 1, sizeHigh, sizeLow)) return false;
  const borrow = sizeLow < offsetLow ? HIGH : 0;
  const present = sizeLow - offsetLow + borrow;
  const valid = present - (present & session.alignmentMask);
  if (valid === 0) return false;
  request.tail = request.lengthLow - valid;
  request.lengthLow = valid;
  return true;
}

function refusePastEnd(request: Request): number {
  const { command } = request;
  const grows = command === Command.Write || command === Command.WriteZeroes;
  const errno = grows ? Errno.ENOSPC : Errno.EINVAL;
  return refuse(request, errno, "request goes past the end of the export");
}

function refuseCommand(request: Request, session: Session): number {
  const { command } = request;
  const readOnly = (session.flags & TransmissionFlag.ReadOnly) !== 0;
  if (readOnly && writes(command)) {
    return refuse(request, Errno.EPERM, "the export is read-only");
  }
  return refuse(request, Errno.EINVAL, `${describeCommand(command)} is not offered`);
}

function writes(command: number): boolean {
  return command === Command.Write || command === Command.Trim || command === Command.WriteZeroes;
}

function refuseFlags(request: Request, wrong: number): number {
  const name = describeCommand(request.command);
  return refuse(request, Errno.EINVAL, `${name} may not have flags 0x${wrong.toString(16)}`);
}

function refuse(request: Request, errno: number, text: string): number {
  request.errorText = text;
  return errno;
}
