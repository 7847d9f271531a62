// SPDX-License-Identifier: MIT
// The messages of a handshake from the client's side, one by one (proto.md "Fixed newstyle
// negotiation"). What a client does with them is in client_negotiation.ts; tests send them raw.

import { type ByteQueue, ByteWriter } from "./bytes.ts";
import { ProtocolError } from "./protocol_error.ts";
import {
  CLIENT_FLAGS_LENGTH,
  GREETING_LENGTH,
  NBD_MAGIC,
  OPTION_HEADER_LENGTH,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_LENGTH,
  OPTION_REPLY_MAGIC,
} from "./wire.ts";

const encoder = new TextEncoder();

/** Longest reply to an option that a client takes; servers have no reason to come near it. */
const OPTION_REPLY_MAX = 16 * 1024 * 1024;

/** One reply of the server to an option. */
export interface OptionReply {
  option: number;
  type: number;
  data: Uint8Array;
}

/** The client flags that answer the greeting. */
export function encodeClientFlags(flags: number): Uint8Array {
  return new ByteWriter(CLIENT_FLAGS_LENGTH).u32(flags).finish();
}

/** An option with its data; `announced` may lie about the length of it. */
export function encodeOption(
  option: number,
  data: Uint8Array = new Uint8Array(0),
  announced = data.length,
): Uint8Array {
  const message = new ByteWriter(OPTION_HEADER_LENGTH + data.length);
  message.halves(OPTION_MAGIC.high, OPTION_MAGIC.low).u32(option).u32(announced);
  return message.bytes(data).finish();
}

/** Data of INFO and GO. */
export function encodeInfoData(exportName: string, requests: number[] = []): Uint8Array {
  const data = new ByteWriter();
  const name = encoder.encode(exportName);
  data.u32(name.length).bytes(name).u16(requests.length);
  for (const request of requests) data.u16(request);
  return data.finish();
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function encodeContextData(exportName: string, queries: string[]): Uint8Array {
  const data = new ByteWriter();
  for (const [index, text] of [exportName, ...queries].entries()) {
    const bytes = encoder.encode(text);
    data.u32(bytes.length).bytes(bytes);
    if (index === 0) data.u32(queries.length);
  }
  return data.finish();
}

/** Takes the greeting off the queue and returns the handshake flags; null until it is there. */
export function takeGreeting(queue: ByteQueue): number | null {
  const reader = queue.peek(GREETING_LENGTH);
  if (reader === null) return null;
  if (reader.u32() !== NBD_MAGIC.high || reader.u32() !== NBD_MAGIC.low) {
    throw new ProtocolError("cannot read greeting: this is not an NBD server");
  }
  if (reader.u32() !== OPTION_MAGIC.high || reader.u32() !== OPTION_MAGIC.low) {
    throw new ProtocolError("cannot use server: it does not speak newstyle negotiation");
  }
  queue.skip(GREETING_LENGTH);
  return reader.u16();
}

/** Takes one reply off the queue; null until it is all there. */
export function takeOptionReply(queue: ByteQueue): OptionReply | null {
  const reader = queue.peek(OPTION_REPLY_HEADER_LENGTH);
  if (reader === null) return null;
  if (reader.u32() !== OPTION_REPLY_MAGIC.high || reader.u32() !== OPTION_REPLY_MAGIC.low) {
    throw new ProtocolError("cannot read option reply: wrong magic number");
  }
  const option = reader.u32();
  const type = reader.u32();
  const length = reader.u32();
  if (length > OPTION_REPLY_MAX) {
    throw new ProtocolError(`cannot read option reply: it has ${length} bytes`);
  }
  if (queue.length < OPTION_REPLY_HEADER_LENGTH + length) return null;
  queue.skip(OPTION_REPLY_HEADER_LENGTH);
  return { option, type, data: queue.take(length) };
}
