// SPDX-License-Identifier: MIT
// What the items of the module bdus mean for an export.

import { ioctlBytes } from "../block/ioctl.ts";
import { Command, RequestFlag } from "../block/request.ts";
import { BdusItem } from "./bdus_abi.ts";
import type { TagRequest } from "./tag_request.ts";

/** What an item asks an export for; -1 for what it cannot do. */
export function commandOfItem(type: number): number {
  if (type === BdusItem.Read) return Command.Read;
  if (type === BdusItem.Write || type === BdusItem.FuaWrite) return Command.Write;
  if (type === BdusItem.Flush || type === BdusItem.FlushAndTerminate) return Command.Flush;
  if (type === BdusItem.Discard) return Command.Trim;
  if (type === BdusItem.WriteZeroesMayUnmap || type === BdusItem.WriteZeroesNoUnmap) {
    return Command.WriteZeroes;
  }
  if (type === BdusItem.SecureErase) return Command.SecureErase;
  return type === BdusItem.Ioctl ? Command.Ioctl : -1;
}

/** ... and how. */
export function flagsOfItem(type: number): number {
  if (type === BdusItem.FuaWrite) return RequestFlag.Fua;
  return type === BdusItem.WriteZeroesNoUnmap ? RequestFlag.NoHole : 0;
}

/**
 * Makes `request` the ioctl `number`, whose argument is where data of the request is. `gives`: bit of the number
 * by which the client gives it.
 */
export function beginIoctl(request: TagRequest, number: number, gives: number): void {
  const { memory, address } = request;
  const length = ioctlBytes(number);
  request.ioctl = number;
  request.flags = 0;
  request.offsetHigh = 0;
  request.offsetLow = 0;
  request.lengthHigh = 0;
  request.lengthLow = length;
  request.payload = address;
  // Where the client gives nothing, what is there is of another request.
  const start = address - memory.address;
  if ((number & gives) === 0) memory.bytes.fill(0, start, start + length);
}
