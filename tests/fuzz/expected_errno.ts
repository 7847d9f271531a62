// SPDX-License-Identifier: MIT
// What a server has to answer to a request, worked out again from the tables in docs/protocol.md,
// with unlimited integers and without a look at how the server does it.

import { Errno } from "../../core/block/errno.ts";
import { type ExportInfo, Support } from "../../core/block/export.ts";
import { Command } from "../../core/block/request.ts";
import { CommandFlag, Replies } from "../../core/nbd/wire.ts";

const { Fua, NoHole, Df, ReqOne, FastZero, PayloadLength } = CommandFlag;
const { Read, Write, Flush, Trim, Cache, WriteZeroes, BlockStatus } = Command;
const { EINVAL, EPERM, ENOSPC, EOVERFLOW } = Errno;
const PAYLOAD_MAX = 33554432;

/** A request as the judge has read it. */
export interface SeenRequest {
  command: number;
  flags: number;
  cookie: bigint;
  offset: bigint;
  length: bigint;
  payload: Uint8Array;
}

/** What was agreed on. */
export interface Agreed {
  info: ExportInfo;
  replies: Replies;
  contexts: boolean;
}

/**
 * The errno of the answer, 0 for success; for a read across the end that is answered in part, the
 * errno of the rest.
 */
export function expectedErrno(request: SeenRequest, agreed: Agreed): number {
  const { command } = request;
  const readOnly = agreed.info.readOnly;
  if (command > BlockStatus) return EINVAL;
  if (readOnly && (command === Write || command === Trim || command === WriteZeroes)) return EPERM;
  if (!isOffered(command, agreed)) return EINVAL;
  if ((request.flags & ~flagsOf(command, agreed)) !== 0) return EINVAL;
  if (command === Flush) return 0;
  const length = effectLength(request);
  if (length === null) return EINVAL;
  const maximum = Math.min(agreed.info.blockSize.maximum, PAYLOAD_MAX);
  if (command === Read && length > maximum) return EOVERFLOW;
  if (command === Write && length > maximum) return EINVAL;
  const minimum = BigInt(agreed.info.blockSize.minimum);
  if (request.offset % minimum !== 0n || length % minimum !== 0n) return EINVAL;
  if (request.offset + length <= BigInt(agreed.info.sizeLow)) return 0;
  return command === Write || command === WriteZeroes ? ENOSPC : EINVAL;
}

function isOffered(command: number, { info, contexts }: Agreed): boolean {
  switch (command) {
    case Flush:
      return info.can.flush !== Support.None;
    case Trim:
      return info.can.trim !== Support.None;
    case Cache:
      return info.can.cache !== Support.None;
    case WriteZeroes:
      return info.can.zero !== Support.None;
    case BlockStatus:
      return contexts;
    default:
      return true;
  }
}

function flagsOf(command: number, { info, replies }: Agreed): number {
  const fua = info.can.fua === Support.None ? 0 : Fua;
  const extended = replies === Replies.Extended ? PayloadLength : 0;
  switch (command) {
    case Read:
      return fua | (replies === Replies.Simple ? 0 : Df);
    case Write:
      return fua | extended;
    case WriteZeroes:
      return fua | NoHole | (info.can.fastZero === Support.None ? 0 : FastZero);
    case BlockStatus:
      return fua | ReqOne | extended;
    default:
      return fua;
  }
}

/** Null where the form of the request is wrong. */
function effectLength(request: SeenRequest): bigint | null {
  const { command, flags, length, payload } = request;
  const carries = (flags & PayloadLength) !== 0;
  if (command !== BlockStatus) return length;
  if (!carries) return length > 0n ? length : null;
  // The only context that there is has the id 1.
  if (payload.length !== 12) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const effect = view.getBigUint64(0);
  return view.getUint32(8) === 1 && effect > 0n ? effect : null;
}
