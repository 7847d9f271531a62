// SPDX-License-Identifier: MIT
// The client's side of NBD, pure: handshake, requests, replies. Whoever has a connection drives it.

export { Answer, type Content, type ServerFailure } from "./client_answer.ts";
export { type Agreement, ClientNegotiation, type ClientWishes } from "./client_negotiation.ts";
export {
  encodeClientFlags,
  encodeContextData,
  encodeInfoData,
  encodeOption,
  type OptionReply,
  takeGreeting,
  takeOptionReply,
} from "./client_options.ts";
export {
  type PendingReads,
  type ReplyContent,
  type ServerReply,
  type StatusExtent,
  takeReply,
} from "./client_replies.ts";
export { type ClientRequest, encodeRequest, encodeStatusPayload } from "./client_requests.ts";
export { ByteQueue } from "./bytes.ts";
export { ProtocolError } from "./protocol_error.ts";
