// SPDX-License-Identifier: MIT
// LIST_META_CONTEXT and SET_META_CONTEXT (proto.md "Metadata querying"). The one context there is:
// base:allocation.

import { BlockError } from "../block/errno.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { META_CONTEXT_DATA_MAX } from "./limits.ts";
import { failBlockError } from "./opt_errors.ts";
import type { Haggle, OpenedExport, OptionHandler } from "./option_table.ts";
import type { MetaContext } from "./session.ts";
import { decodeString, encodeText } from "./text.ts";
import { BASE_ALLOCATION, Replies, Reply } from "./wire.ts";

/** Metadata contexts that every export has. Ids are arbitrary; not 0, which LIST uses. */
const CONTEXTS: readonly MetaContext[] = [{ id: 1, name: BASE_ALLOCATION }];

const TOO_LONG = `the data is longer than ${META_CONTEXT_DATA_MAX} bytes`;

export const listMetaContext: OptionHandler = {
  name: "LIST_META_CONTEXT",
  dataMax: META_CONTEXT_DATA_MAX,
  handle(haggle, data) {
    const query = readQuery(haggle, data);
    if (query === null) return;
    for (const context of CONTEXTS) {
      if (query.queries.length === 0 || query.queries.some((text) => lists(text, context))) {
        replyContext(haggle, 0, context.name);
      }
    }
    haggle.reply(Reply.Ack);
  },
  handleOverlong: (haggle) => haggle.fail(Reply.TooBig, TOO_LONG),
};

export const setMetaContext: OptionHandler = {
  name: "SET_META_CONTEXT",
  dataMax: META_CONTEXT_DATA_MAX,
  handle(haggle, data) {
    // What was selected before is forgotten even if this fails.
    haggle.selection = null;
    const query = readQuery(haggle, data);
    if (query === null) return;
    const contexts = CONTEXTS.filter(({ name }) => query.queries.includes(name));
    for (const { id, name } of contexts) replyContext(haggle, id, name);
    haggle.selection = { exportName: query.opened.name, contexts };
    haggle.reply(Reply.Ack);
  },
  handleOverlong(haggle) {
    haggle.selection = null;
    haggle.fail(Reply.TooBig, TOO_LONG);
  },
};

/** Whether LIST with the query `text` gives `context`: by name, or `namespace:` for all of it. */
function lists(text: string, context: MetaContext): boolean {
  return text === context.name || (text.endsWith(":") && context.name.startsWith(text));
}

function replyContext(haggle: Haggle, id: number, name: string): void {
  const bytes = encodeText(name);
  haggle.reply(Reply.MetaContext, new ByteWriter(4 + bytes.length).u32(id).bytes(bytes).finish());
}

interface ContextQuery {
  opened: OpenedExport;
  queries: string[];
}

/** The export and queries of the option; null where it was answered with an error. */
function readQuery(haggle: Haggle, data: Uint8Array): ContextQuery | null {
  if (haggle.replies === Replies.Simple) {
    haggle.fail(Reply.Invalid, "structured replies or extended headers must be agreed on first");
    return null;
  }
  const fields = parse(data);
  if (typeof fields === "string") {
    haggle.fail(Reply.Invalid, fields);
    return null;
  }
  try {
    return { opened: haggle.open(fields.exportName), queries: fields.queries };
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    failBlockError(haggle, error);
    return null;
  }
}

/** The fields of the option, or what is wrong with them. */
function parse(data: Uint8Array): { exportName: string; queries: string[] } | string {
  const reader = new ByteReader(data);
  const exportName = decodeString(reader.bytes(reader.u32()));
  if (exportName === null) return "the name is not UTF-8 of at most 4096 bytes without NUL";
  const queries: string[] = [];
  for (let left = reader.u32(); left > 0 && !reader.failed; left--) {
    const query = decodeString(reader.bytes(reader.u32()));
    if (query === null) return "a query is not UTF-8 of at most 4096 bytes without NUL";
    queries.push(query);
  }
  if (reader.failed) return "a length goes beyond the data";
  if (reader.left > 0) return "there is data after the last query";
  return { exportName, queries };
}
