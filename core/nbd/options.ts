// SPDX-License-Identifier: MIT
// All options of NBD that this server answers otherwise than with Unsupported.

import { exportName } from "./opt_export_name.ts";
import { go, info } from "./opt_go.ts";
import { list } from "./opt_list.ts";
import { listMetaContext, setMetaContext } from "./opt_meta_context.ts";
import { abort, extendedHeaders, structuredReply } from "./opt_simple.ts";
import type { OptionTable } from "./option_table.ts";
import { Option } from "./wire.ts";

/** The table that Negotiation uses unless it is given another. */
export const OPTION_TABLE: OptionTable = new Map([
  [Option.ExportName, exportName],
  [Option.Abort, abort],
  [Option.List, list],
  [Option.Info, info],
  [Option.Go, go],
  [Option.StructuredReply, structuredReply],
  [Option.ListMetaContext, listMetaContext],
  [Option.SetMetaContext, setMetaContext],
  [Option.ExtendedHeaders, extendedHeaders],
]);
