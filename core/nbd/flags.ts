// SPDX-License-Identifier: MIT
// Transmission flags (proto.md "Transmission flags"): what a client is told that an export can do.

import { type ExportInfo, Support } from "../block/export.ts";
import { Replies, TransmissionFlag } from "./wire.ts";

/**
 * The flags of an export for a client with which `replies` are agreed and that has selected
 * metadata contexts for this export (`contexts`) or not.
 */
export function transmissionFlags(info: ExportInfo, replies: Replies, contexts: boolean): number {
  const { can } = info;
  const writable = !info.readOnly && can.write !== Support.None;
  let flags = TransmissionFlag.HasFlags;
  if (can.flush !== Support.None) flags |= TransmissionFlag.SendFlush;
  if (can.fua !== Support.None) flags |= TransmissionFlag.SendFua;
  if (can.cache !== Support.None) flags |= TransmissionFlag.SendCache;
  if (can.multiConn !== Support.None) flags |= TransmissionFlag.CanMultiConn;
  if (info.rotational) flags |= TransmissionFlag.Rotational;
  if (replies !== Replies.Simple) flags |= TransmissionFlag.SendDf;
  if (replies === Replies.Extended && contexts) flags |= TransmissionFlag.BlockStatusPayload;
  return flags | (writable ? writeFlags(info) : TransmissionFlag.ReadOnly);
}

function writeFlags(info: ExportInfo): number {
  const { can } = info;
  let flags = 0;
  if (can.trim !== Support.None) flags |= TransmissionFlag.SendTrim;
  if (can.zero !== Support.None) {
    flags |= TransmissionFlag.SendWriteZeroes;
    if (can.fastZero !== Support.None) flags |= TransmissionFlag.SendFastZero;
  }
  return flags;
}
