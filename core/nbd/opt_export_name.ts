// SPDX-License-Identifier: MIT
// EXPORT_NAME (proto.md "Newstyle negotiation"): the old way into transmission, which has no way to
// report an error but closing the connection.

import { BlockError } from "../block/errno.ts";
import { ByteWriter } from "./bytes.ts";
import { hasDefaultBlockSize } from "./block_size.ts";
import { transmissionFlags } from "./flags.ts";
import {
  type Haggle,
  type OpenedExport,
  type OptionHandler,
  selectedContexts,
} from "./option_table.ts";
import { decodeString } from "./text.ts";
import { EXPORT_NAME_PADDING, Replies, STRING_MAX } from "./wire.ts";

export const exportName: OptionHandler = {
  name: "EXPORT_NAME",
  dataMax: STRING_MAX,
  handle(haggle, data) {
    const refusal = enter(haggle, data);
    if (refusal !== "") haggle.close(`cannot answer EXPORT_NAME: ${refusal}`);
  },
  handleOverlong(haggle) {
    haggle.close("cannot answer EXPORT_NAME: the name is longer than 4096 bytes");
  },
};

/** Enters transmission, or returns why not. */
function enter(haggle: Haggle, data: Uint8Array): string {
  if (haggle.replies === Replies.Extended) return "extended headers need GO";
  const name = decodeString(data);
  if (name === null) return "the name is not a string";
  let opened: OpenedExport;
  try {
    opened = haggle.open(name);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    return error.message;
  }
  const { info } = opened.export;
  // The client has no way to learn the sizes here, so requests would fail for no visible reason.
  if (!hasDefaultBlockSize(info)) return "the block sizes of the export need GO";
  const flags = transmissionFlags(
    info,
    haggle.replies,
    selectedContexts(haggle, opened).length > 0,
  );
  const answer = new ByteWriter(10 + EXPORT_NAME_PADDING);
  answer.halves(info.sizeHigh, info.sizeLow).u16(flags);
  if (!haggle.noZeroes) answer.zeroes(EXPORT_NAME_PADDING);
  haggle.send(answer.finish());
  haggle.enterTransmission();
  return "";
}
