// SPDX-License-Identifier: MIT
// How a server has to end its answer to an option, worked out again from doc/proto.md without a
// look at how the server does it.

import { BASE_ALLOCATION, Option, Replies, Reply } from "../../core/nbd/wire.ts";
import { NAMES } from "./exports.ts";

const CONTEXT_DATA_MAX = 65536;
const INFO_DATA_MAX = 4 + 4096 + 2 + 2 * 65535;
const INFO_BLOCK_SIZE = 3;
const KNOWN = new Set(NAMES.filter((name) => name !== "nope"));
/** What the empty name stands for. */
const DEFAULT = "disk";
/** The export whose block sizes must be asked for. */
const NEEDS_BLOCK_SIZE = "blocks";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** What options so far have agreed on. */
export interface Haggled {
  replies: Replies;
  /** The export for which base:allocation is selected. */
  contextsOf: string | null;
  /** The export of the last option that had one. */
  exportName: string;
}

/** The type of the last reply to an option; notes in `haggled` what it changes. */
export function expectedReply(option: number, data: Uint8Array, haggled: Haggled): number {
  switch (option) {
    case Option.Abort:
      return Reply.Ack;
    case Option.List:
      return data.length > 0 ? Reply.Invalid : Reply.Ack;
    case Option.StructuredReply:
      if (data.length > 0) return Reply.Invalid;
      if (haggled.replies === Replies.Extended) return Reply.ExtendedHeadersRequired;
      return raise(haggled, Replies.Structured);
    case Option.ExtendedHeaders:
      return data.length > 0 ? Reply.Invalid : raise(haggled, Replies.Extended);
    case Option.Info:
    case Option.Go:
      return expectedInfo(data, haggled);
    case Option.ListMetaContext:
    case Option.SetMetaContext:
      return expectedContexts(option, data, haggled);
    default:
      return Reply.Unsupported;
  }
}

/** The export that EXPORT_NAME with that data leads to; null where the server has to close. */
export function expectedExport(data: Uint8Array, { replies }: Haggled): string | null {
  const name = data.length > 4096 ? "nope" : lenient.decode(data);
  const works = KNOWN.has(name) && name !== NEEDS_BLOCK_SIZE && replies !== Replies.Extended;
  return works ? name || DEFAULT : null;
}

function raise(haggled: Haggled, replies: Replies): number {
  if (haggled.replies === replies) return Reply.Invalid;
  haggled.replies = replies;
  return Reply.Ack;
}

function expectedInfo(data: Uint8Array, haggled: Haggled): number {
  if (data.length > INFO_DATA_MAX) return Reply.Invalid;
  const fields = new Fields(data);
  const name = fields.text();
  const count = fields.number(2);
  const wanted = Array.from({ length: Math.min(count, data.length) }, () => fields.number(2));
  if (fields.wrong || count !== wanted.length || fields.left > 0) return Reply.Invalid;
  if (!KNOWN.has(name)) return Reply.Unknown;
  haggled.exportName = name || DEFAULT;
  const asked = wanted.includes(INFO_BLOCK_SIZE);
  return name === NEEDS_BLOCK_SIZE && !asked ? Reply.BlockSizeRequired : Reply.Ack;
}

function expectedContexts(option: number, data: Uint8Array, haggled: Haggled): number {
  if (option === Option.SetMetaContext) haggled.contextsOf = null;
  if (data.length > CONTEXT_DATA_MAX) return Reply.TooBig;
  if (haggled.replies === Replies.Simple) return Reply.Invalid;
  const fields = new Fields(data);
  const name = fields.text();
  const queries: string[] = [];
  for (let count = fields.number(4); count > 0 && !fields.wrong; count--) {
    queries.push(fields.text());
  }
  if (fields.wrong || fields.left > 0) return Reply.Invalid;
  if (!KNOWN.has(name)) return Reply.Unknown;
  const selects = option === Option.SetMetaContext && queries.includes(BASE_ALLOCATION);
  if (selects) haggled.contextsOf = name || DEFAULT;
  return Reply.Ack;
}

/** Reads one field after the other; `wrong` once something is not as it should be. */
class Fields {
  wrong = false;
  #at = 0;

  constructor(readonly data: Uint8Array) {}

  get left(): number {
    return this.data.length - this.#at;
  }

  number(width: number): number {
    const bytes = this.#bytes(width);
    return bytes.reduce((value, byte) => value * 256 + byte, 0);
  }

  text(): string {
    const bytes = this.#bytes(this.number(4));
    try {
      const text = decoder.decode(bytes);
      if (text.includes("\0") || bytes.length > 4096) this.wrong = true;
      return text;
    } catch {
      this.wrong = true;
      return "";
    }
  }

  #bytes(length: number): Uint8Array {
    if (length > this.left) {
      this.wrong = true;
      return new Uint8Array(0);
    }
    this.#at += length;
    return this.data.subarray(this.#at - length, this.#at);
  }
}
