// SPDX-License-Identifier: MIT
// The NBD protocol for a server: handshake, requests, replies. Pure: bytes in, bytes out. The
// client's side is client.ts, addresses of exports are uri.ts.

export type { ExportDirectory } from "./directory.ts";
export type { Gather } from "./gather.ts";
export * from "./limits.ts";
export {
  Negotiation,
  type NegotiationLimits,
  type NegotiationOptions,
  type NegotiationState,
} from "./negotiation.ts";
export {
  type ContextSelection,
  type Haggle,
  type OpenedExport,
  type OptionHandler,
  type OptionTable,
  selectedContexts,
  withoutData,
} from "./option_table.ts";
export { OPTION_TABLE } from "./options.ts";
export { frameReply } from "./reply.ts";
export { decodeRequest, PAYLOAD_TOO_LARGE, payloadLength, requestHeaderLength } from "./request.ts";
export { createSession, type MetaContext, type Session, type SessionTerms } from "./session.ts";
export { ANSWERED, applyStatusPayload, validateRequest } from "./validate.ts";
export * from "./wire.ts";
