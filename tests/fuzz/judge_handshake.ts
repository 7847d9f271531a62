// SPDX-License-Identifier: MIT
// Reads a client's stream by the rules of the handshake, on its own, and holds the answers of the
// server against it: every option that is whole has one final reply, and nothing else is said.

import {
  type ByteQueue,
  ProtocolError,
  takeGreeting,
  takeOptionReply,
} from "../../core/nbd/client.ts";
import { expectedExport, expectedReply, type Haggled } from "./expected_reply.ts";
import type { NegotiationState } from "../../core/nbd/negotiation.ts";
import { Option, OPTION_MAGIC, Replies, Reply } from "../../core/nbd/wire.ts";

const HEADER = 16;
const PADDED_ANSWER = 134;
const BARE_ANSWER = 10;
/** More than this about one option is more than there is to say about a handful of exports. */
const REPLIES_MAX = 8;
const REPLY_BYTES_MAX = 4096;

/** Options that the servers under test allow. */
export const OPTIONS_MAX = 7;

/** How the handshake ended, as the server has it. */
export interface Ended {
  /** "moved" does not happen: everything is served at one place. */
  state: NegotiationState;
}

/** What the client has agreed on, as the judge sees it. */
export interface Outcome {
  /** Where in the stream transmission begins. */
  at: number;
  replies: Replies;
  contexts: boolean;
  exportName: string;
}

/**
 * Takes the server's part of the handshake off `output`. Null where it does not lead into
 * transmission.
 */
export function judgeHandshake(
  stream: Uint8Array,
  output: ByteQueue,
  ended: Ended,
): Outcome | null {
  if (takeGreeting(output) !== 3) throw new ProtocolError("the greeting is wrong");
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  if (stream.length < 4) return over(output, ended, "negotiating");
  const flags = view.getUint32(0);
  if (flags > 3) return over(output, ended, "closed");
  const haggled: Haggled = { replies: Replies.Simple, contextsOf: null, exportName: "" };
  for (let at = 4, count = 1;; count++) {
    if (stream.length - at < HEADER) return over(output, ended, "negotiating");
    const option = view.getUint32(at + 8);
    const length = view.getUint32(at + 12);
    const wrong = view.getUint32(at) !== OPTION_MAGIC.high ||
      view.getUint32(at + 4) !== OPTION_MAGIC.low ||
      length > 64 * 1024 * 1024 || count > OPTIONS_MAX ||
      ((flags & 1) === 0 && option !== Option.ExportName);
    if (wrong) return over(output, ended, "closed");
    at += HEADER + length;
    if (at > stream.length) return over(output, ended, "negotiating");
    if (option === Option.ExportName) {
      const exportName = expectedExport(stream.subarray(at - length, at), haggled);
      if (exportName === null) return over(output, ended, "closed");
      takeExportNameAnswer(flags, output, ended);
      return outcome(at, { ...haggled, exportName });
    }
    const final = takeReplies(option, output);
    const expected = expectedReply(option, stream.subarray(at - length, at), haggled);
    if (final !== expected) {
      throw new ProtocolError(`option ${option}: reply ${final}, not ${expected}`);
    }
    if (option === Option.Abort) return over(output, ended, "closed");
    if (option === Option.Go && final === Reply.Ack) {
      if (ended.state !== "transmission") throw new ProtocolError(`GO, but ${ended.state}`);
      return outcome(at, haggled);
    }
  }
}

function outcome(at: number, { replies, contextsOf, exportName }: Haggled): Outcome {
  return { at, replies, contexts: contextsOf === exportName, exportName };
}

/** Takes all replies to one option; returns the type of the last. */
function takeReplies(option: number, output: ByteQueue): number {
  for (let count = 0; count < REPLIES_MAX; count++) {
    const reply = takeOptionReply(output);
    if (reply === null) throw new ProtocolError(`option ${option} has no final reply`);
    if (reply.option !== option) throw new ProtocolError(`reply to ${reply.option}, not ${option}`);
    if (reply.data.length > REPLY_BYTES_MAX) throw new ProtocolError("reply is too long");
    if (reply.type === Reply.Ack || reply.type >= Reply.Unsupported) return reply.type;
  }
  throw new ProtocolError(`option ${option} has too many replies`);
}

function takeExportNameAnswer(flags: number, output: ByteQueue, ended: Ended): void {
  if (ended.state !== "transmission") throw new ProtocolError(`EXPORT_NAME, but ${ended.state}`);
  const answer = output.take((flags & 2) === 0 ? PADDED_ANSWER : BARE_ANSWER);
  if (answer.subarray(BARE_ANSWER).some((byte) => byte !== 0)) {
    throw new ProtocolError("the padding is not zero");
  }
}

function over(output: ByteQueue, ended: Ended, state: Ended["state"]): null {
  if (ended.state !== state) throw new ProtocolError(`${ended.state} where ${state} was expected`);
  if (output.length > 0) throw new ProtocolError(`${output.length} bytes that nobody asked for`);
  return null;
}
