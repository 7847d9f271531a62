// SPDX-License-Identifier: MIT
// What the items of the module bdus mean for an export.

import { Command, RequestFlag } from "../block/request.ts";
import { BdusItem } from "./bdus_abi.ts";

/** What an item asks an export for; -1 for what it cannot do. */
export function commandOfItem(type: number): number {
  if (type === BdusItem.Read) return Command.Read;
  if (type === BdusItem.Write || type === BdusItem.FuaWrite) return Command.Write;
  if (type === BdusItem.Flush || type === BdusItem.FlushAndTerminate) return Command.Flush;
  if (type === BdusItem.Discard) return Command.Trim;
  if (type === BdusItem.WriteZeroesMayUnmap || type === BdusItem.WriteZeroesNoUnmap) {
    return Command.WriteZeroes;
  }
  return -1;
}

/** ... and how. */
export function flagsOfItem(type: number): number {
  if (type === BdusItem.FuaWrite) return RequestFlag.Fua;
  return type === BdusItem.WriteZeroesNoUnmap ? RequestFlag.NoHole : 0;
}
