// SPDX-License-Identifier: MIT
// Options without data: ABORT, STRUCTURED_REPLY, EXTENDED_HEADERS (proto.md "Option types").

import { type Haggle, type OptionHandler, withoutData } from "./option_table.ts";
import { Replies, Reply } from "./wire.ts";

/** Data is ignored here, as the protocol asks for: the client is leaving anyway. */
export const abort: OptionHandler = {
  name: "ABORT",
  dataMax: 0,
  handle: acknowledgeAbort,
  handleOverlong: acknowledgeAbort,
};

function acknowledgeAbort(haggle: Haggle): void {
  haggle.reply(Reply.Ack);
  haggle.close("client has aborted the handshake");
}

export const structuredReply = withoutData("STRUCTURED_REPLY", (haggle) => {
  if (haggle.replies === Replies.Extended) {
    return haggle.fail(Reply.ExtendedHeadersRequired, "extended headers are in use already");
  }
  if (haggle.replies === Replies.Structured) {
    return haggle.fail(Reply.Invalid, "structured replies are in use already");
  }
  haggle.replies = Replies.Structured;
  haggle.reply(Reply.Ack);
});

export const extendedHeaders = withoutData("EXTENDED_HEADERS", (haggle) => {
  if (haggle.replies === Replies.Extended) {
    return haggle.fail(Reply.Invalid, "extended headers are in use already");
  }
  haggle.replies = Replies.Extended;
  haggle.reply(Reply.Ack);
});
