// SPDX-License-Identifier: MIT
// LIST (proto.md "Option types", "NBD_REP_SERVER"): the names and descriptions of all exports.

import { BlockError } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import { ByteWriter } from "./bytes.ts";
import { failBlockError } from "./opt_errors.ts";
import { type Haggle, withoutData } from "./option_table.ts";
import { encodeName, encodeText } from "./text.ts";
import { Reply } from "./wire.ts";

export const list = withoutData("LIST", (haggle) => {
  const entries = listExports(haggle);
  if (entries === null) return;
  for (const { name, description } of entries) {
    const bytes = encodeName(name);
    // A name that the protocol cannot carry could not be asked for either.
    if (bytes === null) continue;
    const data = new ByteWriter(4 + bytes.length + description.length);
    data.u32(bytes.length).bytes(bytes).bytes(encodeText(description));
    haggle.reply(Reply.Server, data.finish());
  }
  haggle.reply(Reply.Ack);
});

function listExports(haggle: Haggle): ExportEntry[] | null {
  try {
    return haggle.directory.list();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    failBlockError(haggle, error);
    return null;
  }
}
