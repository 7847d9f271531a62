// SPDX-License-Identifier: MIT
// Requests from the client's side (proto.md "Request message", with its extended form). Everything
// in a request may be set to what it should not be, for tests of servers.

import { Command } from "../block/request.ts";
import { ByteWriter } from "./bytes.ts";
import {
  CommandFlag,
  EXTENDED_REQUEST_LENGTH,
  EXTENDED_REQUEST_MAGIC,
  Replies,
  REQUEST_MAGIC,
} from "./wire.ts";

/** A request; what is left out is 0, or what it should be. */
export interface ClientRequest {
  command: number;
  flags?: number;
  cookie?: bigint;
  offset?: bigint;
  /** Effect length in bytes, or length of the payload; that of `payload` unless given. */
  length?: bigint;
  payload?: Uint8Array;
  magic?: number;
  /** Leaves the flags as they are instead of adding PayloadLength to an extended write. */
  rawFlags?: boolean;
}

/** The bytes of a request on a connection with such replies. */
export function encodeRequest(request: ClientRequest, replies: Replies): Uint8Array {
  const { command, cookie = 0n, offset = 0n, payload = new Uint8Array(0) } = request;
  const length = request.length ?? BigInt(payload.length);
  const message = new ByteWriter(EXTENDED_REQUEST_LENGTH + payload.length);
  const extended = replies === Replies.Extended;
  let flags = request.flags ?? 0;
  if (extended && command === Command.Write && request.rawFlags !== true) {
    flags |= CommandFlag.PayloadLength;
  }
  message.u32(request.magic ?? (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC));
  message.u16(flags).u16(command).u64(cookie).u64(offset);
  if (extended) message.u64(length);
  else message.u32(Number(length));
  return message.bytes(payload).finish();
}

/** Payload of an extended block status request that asks for some contexts only. */
export function encodeStatusPayload(effectLength: bigint, contextIds: number[]): Uint8Array {
  const payload = new ByteWriter().u64(effectLength);
  for (const id of contextIds) payload.u32(id);
  return payload.finish();
}
