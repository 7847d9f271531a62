// SPDX-License-Identifier: MIT
// Replies from the client's side: the stream cut into messages, and what each of them says
// (proto.md "Simple reply message", "Structured reply types"). Strict: what the protocol does not
// allow is a ProtocolError.

import { type ByteQueue, ByteReader } from "./bytes.ts";
import { ProtocolError } from "./protocol_error.ts";
import { decodeString } from "./text.ts";
import {
  EXTENDED_REPLY_LENGTH,
  EXTENDED_REPLY_MAGIC,
  Replies,
  ReplyFlag,
  ReplyType,
  SIMPLE_REPLY_LENGTH,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_LENGTH,
  STRUCTURED_REPLY_MAGIC,
} from "./wire.ts";

/** What one message of the server says about a request. */
export type ReplyContent =
  /** Succeeded, or nothing more to say. */
  | { kind: "none" }
  /** Bytes of the export. */
  | { kind: "data"; offset: bigint; bytes: Uint8Array }
  /** Bytes of the export that are all zero. */
  | { kind: "hole"; offset: bigint; length: bigint }
  | { kind: "status"; contextId: number; extents: StatusExtent[] }
  /** Failed, at `offset` where that is known. */
  | { kind: "error"; errno: number; message: string; offset: bigint | null };

export interface StatusExtent {
  length: bigint;
  flags: bigint;
}

/** One message of the server. */
export interface ServerReply {
  cookie: bigint;
  /** Whether this is the last message about the request. */
  done: boolean;
  /** Extended replies repeat the offset of the request. */
  requestOffset: bigint | null;
  /** Null for a simple reply. */
  type: number | null;
  content: ReplyContent;
}

/** What a client must know of its own requests to read simple replies. */
export interface PendingReads {
  /** Length of the read with that cookie that waits for its answer; null where it is no read. */
  readLength(cookie: bigint): number | null;
}

/** Takes one reply off the queue; null until it is all there. */
export function takeReply(
  queue: ByteQueue,
  replies: Replies,
  pending: PendingReads,
): ServerReply | null {
  const magic = queue.peek(4)?.u32();
  if (magic === undefined) return null;
  if (magic === SIMPLE_REPLY_MAGIC && replies !== Replies.Extended) {
    return takeSimple(queue, replies, pending);
  }
  const expected = [0, STRUCTURED_REPLY_MAGIC, EXTENDED_REPLY_MAGIC][replies];
  if (magic !== expected) {
    throw new ProtocolError(`cannot read reply: magic number 0x${magic.toString(16)}`);
  }
  return takeChunk(queue, replies);
}

function takeSimple(
  queue: ByteQueue,
  replies: Replies,
  pending: PendingReads,
): ServerReply | null {
  const reader = queue.peek(SIMPLE_REPLY_LENGTH);
  if (reader === null) return null;
  reader.u32();
  const errno = reader.u32();
  const cookie = reader.u64();
  const length = pending.readLength(cookie);
  if (length !== null && replies !== Replies.Simple) {
    throw new ProtocolError("cannot read reply: a read was answered with a simple reply");
  }
  const simple = { cookie, done: true, requestOffset: null, type: null };
  const follows = errno === 0 ? length ?? 0 : 0;
  if (queue.length < SIMPLE_REPLY_LENGTH + follows) return null;
  queue.skip(SIMPLE_REPLY_LENGTH);
  if (errno !== 0) {
    return { ...simple, content: { kind: "error", errno, message: "", offset: null } };
  }
  if (follows === 0) return { ...simple, content: { kind: "none" } };
  return { ...simple, content: { kind: "data", offset: 0n, bytes: queue.take(follows) } };
}

function takeChunk(queue: ByteQueue, replies: Replies): ServerReply | null {
  const extended = replies === Replies.Extended;
  const headerLength = extended ? EXTENDED_REPLY_LENGTH : STRUCTURED_REPLY_LENGTH;
  const reader = queue.peek(headerLength);
  if (reader === null) return null;
  reader.u32();
  const flags = reader.u16();
  const type = reader.u16();
  const cookie = reader.u64();
  const requestOffset = extended ? reader.u64() : null;
  const length = extended ? reader.u64() : BigInt(reader.u32());
  if (length > 0xffffffffn) throw new ProtocolError(`cannot read chunk: it has ${length} bytes`);
  if (queue.length < headerLength + Number(length)) return null;
  queue.skip(headerLength);
  const content = parseContent(type, queue.take(Number(length)), extended);
  const done = (flags & ReplyFlag.Done) !== 0;
  if (content.kind === "none" && !done) {
    throw new ProtocolError("cannot read chunk: NONE is not the last chunk");
  }
  return { cookie, done, requestOffset, type, content };
}

function parseContent(type: number, payload: Uint8Array, extended: boolean): ReplyContent {
  const reader = new ByteReader(payload);
  const content = readContent(type, reader, extended);
  if (content === null || reader.failed || reader.left > 0) {
    throw new ProtocolError(`cannot read chunk: type ${type} with ${payload.length} bytes`);
  }
  return content;
}

/** Null where the type does not exist or the payload is not of the form that it should have. */
function readContent(type: number, reader: ByteReader, extended: boolean): ReplyContent | null {
  switch (type) {
    case ReplyType.None:
      return { kind: "none" };
    case ReplyType.OffsetData: {
      const offset = reader.u64();
      return reader.left > 0 ? { kind: "data", offset, bytes: reader.bytes(reader.left) } : null;
    }
    case ReplyType.OffsetHole: {
      const hole = { kind: "hole" as const, offset: reader.u64(), length: BigInt(reader.u32()) };
      return hole.length > 0n ? hole : null;
    }
    case ReplyType.BlockStatus:
      return extended ? null : readStatus(reader);
    case ReplyType.BlockStatusExtended:
      return extended ? readExtendedStatus(reader) : null;
    case ReplyType.Error:
    case ReplyType.ErrorOffset:
      return readError(reader, type === ReplyType.ErrorOffset);
    default:
      return null;
  }
}

function readStatus(reader: ByteReader): ReplyContent | null {
  const contextId = reader.u32();
  const extents: StatusExtent[] = [];
  while (reader.left >= 8) {
    extents.push({ length: BigInt(reader.u32()), flags: BigInt(reader.u32()) });
  }
  return checkExtents(contextId, extents);
}

function readExtendedStatus(reader: ByteReader): ReplyContent | null {
  const contextId = reader.u32();
  const count = reader.u32();
  const extents: StatusExtent[] = [];
  while (reader.left >= 16) extents.push({ length: reader.u64(), flags: reader.u64() });
  return count === extents.length ? checkExtents(contextId, extents) : null;
}

function checkExtents(contextId: number, extents: StatusExtent[]): ReplyContent | null {
  if (extents.length === 0 || extents.some(({ length }) => length === 0n)) return null;
  return { kind: "status", contextId, extents };
}

function readError(reader: ByteReader, hasOffset: boolean): ReplyContent | null {
  const errno = reader.u32();
  const message = decodeString(reader.bytes(reader.u16()));
  const offset = hasOffset ? reader.u64() : null;
  return errno === 0 || message === null ? null : { kind: "error", errno, message, offset };
}
