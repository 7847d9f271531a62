// SPDX-License-Identifier: MIT
// Every number of the NBD protocol, as doc/proto.md of NetworkBlockDevice/nbd defines it, with the
// extended headers of its extension-ext-header branch. All fields on the wire are big-endian.

/** Opens the handshake: "NBDMAGIC". Compared as two halves. */
export const NBD_MAGIC = { high: 0x4e42444d, low: 0x41474943 } as const;
/** Follows NBD_MAGIC and opens each option: "IHAVEOPT". */
export const OPTION_MAGIC = { high: 0x49484156, low: 0x454f5054 } as const;
/** Opens each reply to an option. */
export const OPTION_REPLY_MAGIC = { high: 0x0003e889, low: 0x045565a9 } as const;
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

/** Bytes of the fixed parts of messages. */
export const GREETING_LENGTH = 18;
export const CLIENT_FLAGS_LENGTH = 4;
export const OPTION_HEADER_LENGTH = 16;
export const OPTION_REPLY_HEADER_LENGTH = 20;
export const REQUEST_LENGTH = 28;
export const EXTENDED_REQUEST_LENGTH = 32;
export const SIMPLE_REPLY_LENGTH = 16;
export const STRUCTURED_REPLY_LENGTH = 20;
export const EXTENDED_REPLY_LENGTH = 32;
/** Zeroes at the end of the answer to EXPORT_NAME where the client has not set NoZeroes. */
export const EXPORT_NAME_PADDING = 124;
/** Longest string of the protocol in bytes: export names, error texts, context names. */
export const STRING_MAX = 4096;

/** Port that IANA has assigned to NBD. */
export const DEFAULT_PORT = 10809;

/** Handshake flags of the server (16 bits). */
export const HandshakeFlag = { FixedNewstyle: 0x1, NoZeroes: 0x2 } as const;
/** Flags with which the client answers them (32 bits). */
export const ClientFlag = { FixedNewstyle: 0x1, NoZeroes: 0x2 } as const;

/** Options of the handshake. */
export const Option = {
  ExportName: 1,
  Abort: 2,
  List: 3,
  PeekExport: 4,
  StartTls: 5,
  Info: 6,
  Go: 7,
  StructuredReply: 8,
  ListMetaContext: 9,
  SetMetaContext: 10,
  ExtendedHeaders: 11,
} as const;

/** Types of replies to options. Errors have the top bit set. */
export const Reply = {
  Ack: 1,
  Server: 2,
  Info: 3,
  MetaContext: 4,
  Unsupported: 0x80000001,
  Policy: 0x80000002,
  Invalid: 0x80000003,
  Platform: 0x80000004,
  TlsRequired: 0x80000005,
  Unknown: 0x80000006,
  Shutdown: 0x80000007,
  BlockSizeRequired: 0x80000008,
  TooBig: 0x80000009,
  ExtendedHeadersRequired: 0x8000000a,
} as const;

/** Kinds of information in an INFO reply. */
export const Info = { Export: 0, Name: 1, Description: 2, BlockSize: 3 } as const;

/** Transmission flags: what an export can do. */
export const TransmissionFlag = {
  HasFlags: 0x1,
  ReadOnly: 0x2,
  SendFlush: 0x4,
  SendFua: 0x8,
  Rotational: 0x10,
  SendTrim: 0x20,
  SendWriteZeroes: 0x40,
  SendDf: 0x80,
  CanMultiConn: 0x100,
  SendResize: 0x200,
  SendCache: 0x400,
  SendFastZero: 0x800,
  BlockStatusPayload: 0x1000,
} as const;

/** Flags of a request. */
export const CommandFlag = {
  Fua: 0x1,
  NoHole: 0x2,
  Df: 0x4,
  ReqOne: 0x8,
  FastZero: 0x10,
  PayloadLength: 0x20,
} as const;

/** Flags of a reply chunk. */
export const ReplyFlag = { Done: 0x1 } as const;

/** Types of reply chunks. Errors have the top bit set. */
export const ReplyType = {
  None: 0,
  OffsetData: 1,
  OffsetHole: 2,
  BlockStatus: 5,
  BlockStatusExtended: 6,
  Error: 0x8001,
  ErrorOffset: 0x8002,
} as const;

/** The only error numbers that may be on the wire. */
export const WireErrno = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** How replies are framed; each includes what the ones before it can. */
export const Replies = { Simple: 0, Structured: 1, Extended: 2 } as const;
export type Replies = typeof Replies[keyof typeof Replies];

/** The one metadata context that is offered, and its namespace. */
export const BASE_ALLOCATION = "base:allocation";
